"""A client in Python: grpcio, with code generated from the contracts, and once by reflection alone."""

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from ticketing.concert.v1 import reservation_pb2
from ticketing.orchestrator.v1 import checkout_pb2, saga_pb2
from ticketing.token.v1 import queue_token_pb2, queue_token_pb2_grpc, waiting_room_pb2, waiting_room_pb2_grpc

import scenario
from box_office import PRICE, BoxOffice, order, request_id, saga_of
from scenario import TIMEOUT_S, expect

CHANNEL = scenario.channel()
OFFICE = BoxOffice(CHANNEL)
Checkout = checkout_pb2.Checkout
Saga = saga_pb2.Saga
NOBODY = "0192f7c0-0000-7000-8000-000000000000"


def refused(call, code: grpc.StatusCode, reason: str) -> dict:
    """The details of the error that a call must end with, by the name of their type."""
    try:
        call()
    except grpc.RpcError as error:
        expect(error.code(), code, f"the code of {error.details()}")
        return details(rpc_status.from_call(error), reason)
    raise AssertionError(f"it was not refused with {reason}")


def details(status: status_pb2.Status | None, reason: str) -> dict:
    """What a status carries beside its message; its ErrorInfo must give the reason."""
    if status is None:
        raise AssertionError(f"there are no details; expected {reason}")
    found = {}
    for packed in status.details:
        name = packed.TypeName()
        found[name.removeprefix("google.rpc.")] = detail = getattr(error_details_pb2, name.split(".")[-1])()
        expect(packed.Unpack(detail), True, f"unpacking {name}")
    expect(found["ErrorInfo"].reason, reason, f"the reason of {status.message}")
    return found


def watched(checkout: Checkout) -> list[Checkout]:
    """All that a watch tells until the checkout has ended."""
    request = checkout_pb2.WatchCheckoutRequest(name=checkout.name)
    told = list(OFFICE.checkouts.WatchCheckout(request, timeout=TIMEOUT_S))
    versions = [each.version for each in told]
    expect(versions, sorted(set(versions)), "versions only grow")
    return told


def get(name: str) -> Checkout:
    return OFFICE.checkouts.GetCheckout(checkout_pb2.GetCheckoutRequest(name=name))


def cancel(checkout: Checkout, customer: str) -> Checkout:
    request = checkout_pb2.CancelCheckoutRequest(name=checkout.name, customer=customer, reason="changed my mind")
    return OFFICE.checkouts.CancelCheckout(request)


def bought() -> Checkout:
    """A checkout that has completed."""
    checkout = OFFICE.checkouts.CreateCheckout(order(OFFICE.hold(), wait_s=TIMEOUT_S))
    return watched(checkout)[-1]


def every_service_is_healthy():
    stub = health_pb2_grpc.HealthStub(CHANNEL)
    services = ["", "ticketing.orchestrator.v1.CheckoutService", "ticketing.orchestrator.v1.SagaService"]
    for service in services:
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
        expect(answer.status, health_pb2.HealthCheckResponse.SERVING, f"health of {service!r}")
    try:
        stub.Check(health_pb2.HealthCheckRequest(service="no.such.Service"))
    except grpc.RpcError as error:
        return expect(error.code(), grpc.StatusCode.NOT_FOUND, "health of a service that is not there")
    raise AssertionError("a service that is not there is healthy")


def a_checkout_is_placed_and_watched_to_its_end():
    hold = OFFICE.hold(points=PRICE + 7)
    placed = OFFICE.checkouts.CreateCheckout(order(hold, wait_s=0))
    told = watched(placed)
    last = told[-1]
    expect(last.state, Checkout.COMPLETED, "the last state")
    forward = [Checkout.RUNNING, Checkout.COMPLETING, Checkout.COMPLETED]
    places = [forward.index(each.state) for each in told]
    expect(places, sorted(places), "states only go forward")
    expect((last.name, last.customer, last.reservation), (placed.name, hold.customer, hold.reservation), "whose it is")
    expect((last.amount, list(last.seats), len(last.tickets)), (PRICE, [hold.seat], 1), "what was bought")
    expect(last.HasField("failure"), False, "a failure of one that completed")
    expect(get(placed.name), last, "what is read afterwards")
    expect(OFFICE.available(hold.customer), 7, "points that are left")
    expect(OFFICE.reservation(hold).state, reservation_pb2.Reservation.CONFIRMED, "the reservation")


def the_same_request_gives_the_same_checkout():
    hold, other, request = OFFICE.hold(), OFFICE.hold(), request_id()
    first = OFFICE.checkouts.CreateCheckout(order(hold, TIMEOUT_S, request))
    again = OFFICE.checkouts.CreateCheckout(order(hold, TIMEOUT_S, request))
    expect(again.name, first.name, "the checkout of a repeated request")
    other.customer = hold.customer
    found = refused(
        lambda: OFFICE.checkouts.CreateCheckout(order(other, TIMEOUT_S, request)),
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
    )
    expect([each.field for each in found["BadRequest"].field_violations], ["request_id"], "the violated fields")


def a_saga_and_its_history_can_be_read():
    checkout = bought()
    saga = OFFICE.sagas.GetSaga(saga_pb2.GetSagaRequest(name=saga_of(checkout)))
    expect((saga.kind, saga.resource, saga.state), ("checkout", checkout.name, Saga.COMPLETED), "the saga")
    expect((saga.version, saga.amount, saga.customer), (checkout.version, PRICE, checkout.customer), "its facts")
    steps = {step.id: step for step in saga.steps}
    expect(steps["confirm-reservation"].kind, Saga.Step.PIVOT, "the deciding step")
    expect(steps["reserve-points"].method, "ticketing.customer.v1.PointService/ReservePoints", "what a step calls")
    expect(steps["complete-token"].state, Saga.Step.SKIPPED, "a step that nobody needed")
    called = [step for step in saga.steps if step.state != Saga.Step.SKIPPED]
    done = {(step.state, step.attempts[-1].outcome) for step in called}
    expect(done, {(Saga.Step.SUCCEEDED, Saga.Step.Attempt.DONE)}, "how the steps went")
    events = history(saga.name)
    expect([event.sequence for event in events], list(range(1, len(events) + 1)), "the order of the history")
    expect((events[0].kind, events[-1].kind), (saga_pb2.SagaEvent.ACCEPTED, saga_pb2.SagaEvent.DECISION), "its ends")
    expect((events[-1].state, events[-1].version), (Saga.COMPLETED, saga.version), "the last event")
    intents = {event.step_id for event in events if event.kind == saga_pb2.SagaEvent.INTENT}
    expect(intents, {step.id for step in called}, "the steps in the history")


def history(saga: str) -> list[saga_pb2.SagaEvent]:
    """All of it, in pages that are too small for it."""
    events, token, pages = [], "", 0
    while pages == 0 or token:
        request = saga_pb2.ListSagaEventsRequest(parent=saga, page_size=5, page_token=token)
        page = OFFICE.sagas.ListSagaEvents(request)
        events, token, pages = events + list(page.events), page.next_page_token, pages + 1
    expect(pages > 1, True, "more than one page")
    return events


def an_open_checkout_is_cancelled():
    found = OFFICE.waiting()
    hold, checkout = found.hold, found.checkout
    stranger = OFFICE.customer(points=1)
    refused(lambda: cancel(checkout, stranger), grpc.StatusCode.PERMISSION_DENIED, "NOT_OWNER")
    cancel(checkout, hold.customer)
    saga = saga_of(checkout)
    OFFICE.sagas.ResumeSaga(saga_pb2.ResumeSagaRequest(name=saga, reason="go on"))
    last = watched(checkout)[-1]
    expect(last.state, Checkout.FAILED, "the end of a cancelled checkout")
    details(last.failure, "CHECKOUT_CANCELLED")
    expect(last.failure.code, code_pb2.CANCELLED, "the code of its failure")
    expect(OFFICE.available(hold.customer), PRICE, "points that are left")
    expect(OFFICE.reservation(hold).state, reservation_pb2.Reservation.HELD, "the reservation")
    interventions = [event for event in history(saga) if event.kind == saga_pb2.SagaEvent.INTERVENTION]
    expect([event.reason for event in interventions], ["stop here", "changed my mind", "go on"], "who intervened")
    expect(interventions[1].actor, hold.customer, "who cancelled")
    found = refused(lambda: cancel(checkout, hold.customer), grpc.StatusCode.FAILED_PRECONDITION, "SAGA_ENDED")
    expect(dict(found["ErrorInfo"].metadata), {"state": "COMPENSATED"}, "the facts of the refusal")


def a_deadline_proves_nothing():
    found = OFFICE.waiting()
    request, checkout = order(found.hold, TIMEOUT_S, found.request.request_id), found.checkout
    try:
        OFFICE.checkouts.CreateCheckout(request, timeout=0.2)
    except grpc.RpcError as error:
        # The server keeps the deadline too, and may be the first to say so, which then reads as a call cut off.
        told = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
        expect(error.code() in told, True, f"a call that was given too little time, told {error.code()}")
    else:
        raise AssertionError("a checkout that nobody drives was decided")
    OFFICE.sagas.ResumeSaga(saga_pb2.ResumeSagaRequest(name=saga_of(checkout), reason="go on"))
    asked_again = OFFICE.checkouts.CreateCheckout(request)
    expect(asked_again.name, checkout.name, "the same request, asked again")
    expect(watched(asked_again)[-1].state, Checkout.COMPLETED, "its end")
    expect(OFFICE.available(found.hold.customer), 0, "points that are left")


def a_refusal_says_who_refused_and_why():
    hold = OFFICE.hold(points=PRICE - 1)
    checkout = OFFICE.checkouts.CreateCheckout(order(hold, wait_s=TIMEOUT_S))
    expect(checkout.state, Checkout.FAILED, "a checkout without the points for it")
    expect(checkout.failure.code, code_pb2.FAILED_PRECONDITION, "the code of its failure")
    info = details(checkout.failure, "INSUFFICIENT_POINTS")["ErrorInfo"]
    expect(info.domain, "ticketing.customer.v1", "who refused")
    expected = {"available": str(PRICE - 1), "required": str(PRICE), "shortfall": "1"}
    expect(dict(info.metadata), expected, "the facts of the refusal")


def a_wrong_field_is_named():
    request = checkout_pb2.CreateCheckoutRequest(checkout=Checkout(customer="Kim"), request_id=request_id())
    found = refused(lambda: OFFICE.checkouts.CreateCheckout(request), grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    violations = found["BadRequest"].field_violations
    expect([each.field for each in violations], ["checkout.customer"], "the violated fields")
    expect("customers/{id}" in violations[0].description, True, "what it should look like")


def what_does_not_exist_is_named():
    found = refused(lambda: get(f"checkouts/{NOBODY}"), grpc.StatusCode.NOT_FOUND, "CHECKOUT_NOT_FOUND")
    expect(found["ErrorInfo"].domain, "ticketing.orchestrator.v1", "who does not know it")
    expect(dict(found["ErrorInfo"].metadata), {"name": f"checkouts/{NOBODY}"}, "what is not there")


def a_verb_on_an_old_version_is_refused():
    saga = saga_of(bought())
    found = OFFICE.waiting()
    hold, checkout = found.hold, found.checkout
    request = saga_pb2.AbortSagaRequest(name=saga_of(checkout), reason="too slow", expected_version=1)
    moved = refused(lambda: OFFICE.sagas.AbortSaga(request), grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    request.expected_version = int(moved["ErrorInfo"].metadata["version"])
    OFFICE.sagas.AbortSaga(request)
    expect(watched(checkout)[-1].state, Checkout.FAILED, "the end of an aborted checkout")
    expect(OFFICE.available(hold.customer), PRICE, "points that are left")
    request.name = saga
    refused(lambda: OFFICE.sagas.AbortSaga(request), grpc.StatusCode.FAILED_PRECONDITION, "SAGA_ENDED")


def a_full_room_says_when_to_come_back():
    rooms = waiting_room_pb2_grpc.WaitingRoomServiceStub(CHANNEL)
    tokens = queue_token_pb2_grpc.QueueTokenServiceStub(CHANNEL)
    soon, later = Timestamp(), Timestamp()
    soon.GetCurrentTime()
    later.FromSeconds(soon.seconds + 3600)
    wanted = waiting_room_pb2.WaitingRoom(
        prequeue_open_time=soon, open_time=later, max_active_tokens=1, admissions_per_second=1, max_waiting=1
    )
    room = rooms.CreateWaitingRoom(waiting_room_pb2.CreateWaitingRoomRequest(waiting_room=wanted)).name

    def ask():
        request = queue_token_pb2.IssueQueueTokenRequest(parent=room, customer=OFFICE.customer(points=1))
        return tokens.IssueQueueToken(request)

    expect(ask().state, queue_token_pb2.QueueToken.WAITING, "the first one")
    found = refused(ask, grpc.StatusCode.RESOURCE_EXHAUSTED, "WAITING_ROOM_FULL")
    expect(found["RetryInfo"].retry_delay, Duration(seconds=10), "when to ask again")


def what_is_not_served_is_unimplemented():
    call = CHANNEL.unary_unary("/ticketing.orchestrator.v1.CheckoutService/NoSuchMethod")
    try:
        call(b"", timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        return expect(error.code(), grpc.StatusCode.UNIMPLEMENTED, "a method that is not there")
    raise AssertionError("a method that is not there answers")


def reflection_alone_is_enough_to_buy():
    known = ProtoReflectionDescriptorDatabase(CHANNEL)
    service = "ticketing.orchestrator.v1.CheckoutService"
    expect(service in known.get_services(), True, "the service among those that reflection lists")
    pool = DescriptorPool(known)
    method = pool.FindServiceByName(service).FindMethodByName("CreateCheckout")
    asked, answered = (message_factory.GetMessageClass(each) for each in (method.input_type, method.output_type))
    create = CHANNEL.unary_unary(
        f"/{service}/{method.name}",
        request_serializer=asked.SerializeToString,
        response_deserializer=answered.FromString,
    )
    hold = OFFICE.hold()
    request = asked(request_id=request_id())
    request.wait.seconds = TIMEOUT_S
    request.checkout.customer, request.checkout.reservation = hold.customer, hold.reservation
    methods = pool.FindEnumTypeByName("ticketing.payment.v1.Payment.Method")
    request.checkout.payment_method = methods.values_by_name["POINT"].number
    checkout = create(request, timeout=TIMEOUT_S)
    expect(watched(get(checkout.name))[-1].state, Checkout.COMPLETED, "the checkout")
    details = ["ErrorInfo", "BadRequest", "RetryInfo"]
    found = [pool.FindMessageTypeByName(f"google.rpc.{name}").name for name in details]
    expect(found, details, "types of the error details")


if __name__ == "__main__":
    scenario.main(
        "grpcio",
        [
            every_service_is_healthy,
            a_checkout_is_placed_and_watched_to_its_end,
            the_same_request_gives_the_same_checkout,
            a_saga_and_its_history_can_be_read,
            an_open_checkout_is_cancelled,
            a_deadline_proves_nothing,
            a_refusal_says_who_refused_and_why,
            a_wrong_field_is_named,
            what_does_not_exist_is_named,
            a_verb_on_an_old_version_is_refused,
            a_full_room_says_when_to_come_back,
            what_is_not_served_is_unimplemented,
            reflection_alone_is_enough_to_buy,
        ],
    )
