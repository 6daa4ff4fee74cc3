"""Concert, customers and holds over gRPC, with code generated from the contracts: what a checkout needs beforehand.

As a program it prints a checkout that stays open until somebody resumes or cancels it, for clients that are too slow to
catch one: its name, its customer and its saga, one a line.
"""

import time
import uuid
from dataclasses import dataclass

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from ticketing.concert.v1 import concert_pb2, concert_pb2_grpc, reservation_pb2, reservation_pb2_grpc
from ticketing.customer.v1 import customer_pb2, customer_pb2_grpc, point_pb2, point_pb2_grpc
from ticketing.orchestrator.v1 import checkout_pb2, checkout_pb2_grpc, saga_pb2, saga_pb2_grpc
from ticketing.payment.v1 import payment_pb2

import scenario

PRICE = 99_000
DAY_S = 86_400
SEATS = 50
CATCHES = 20
"""Checkouts that may get past an operator before he has to have stopped one; most he stops at once."""


@dataclass
class Hold:
    """A seat that a customer holds."""

    customer: str
    seat: str
    reservation: str


@dataclass
class Waiting:
    """A checkout that stays open until its saga is resumed."""

    hold: Hold
    request: checkout_pb2.CreateCheckoutRequest
    checkout: checkout_pb2.Checkout


class BoxOffice:
    """Sells the seats of one new concert."""

    def __init__(self, channel: grpc.Channel):
        self.concerts = concert_pb2_grpc.ConcertServiceStub(channel)
        self.reservations = reservation_pb2_grpc.ReservationServiceStub(channel)
        self.customers = customer_pb2_grpc.CustomerServiceStub(channel)
        self.points = point_pb2_grpc.PointServiceStub(channel)
        self.checkouts = checkout_pb2_grpc.CheckoutServiceStub(channel)
        self.sagas = saga_pb2_grpc.SagaServiceStub(channel)
        self.performance = self._open()
        self._seats = iter(f"{self.performance}/seats/A-{number}" for number in range(SEATS))

    def _open(self) -> str:
        now = int(time.time())
        wanted = concert_pb2.Concert(
            title="Winter Night",
            artist="The Northern Lights",
            booking_open_time=Timestamp(seconds=now - DAY_S),
            booking_close_time=Timestamp(seconds=now + DAY_S),
        )
        concert = self.concerts.CreateConcert(concert_pb2.CreateConcertRequest(concert=wanted)).name
        self.concerts.PublishConcert(concert_pb2.PublishConcertRequest(name=concert))
        evening = concert_pb2.Performance(start_time=Timestamp(seconds=now + 30 * DAY_S), venue="Olympic Hall, Seoul")
        request = concert_pb2.CreatePerformanceRequest(parent=concert, performance=evening)
        performance = self.concerts.CreatePerformance(request).name
        seats = [
            concert_pb2.Seat(name=f"{performance}/seats/A-{number}", row="A", number=str(number), price=PRICE)
            for number in range(SEATS)
        ]
        self.concerts.BatchCreateSeats(concert_pb2.BatchCreateSeatsRequest(parent=performance, seats=seats))
        return performance

    def customer(self, points: int) -> str:
        """Somebody with so many points."""
        wanted = customer_pb2.Customer(display_name="Kim")
        name = self.customers.CreateCustomer(customer_pb2.CreateCustomerRequest(customer=wanted)).name
        gift = point_pb2.AdjustPointsRequest(customer=name, amount=points, reason="to spend", request_id=request_id())
        self.points.AdjustPoints(gift)
        return name

    def hold(self, points: int = PRICE) -> Hold:
        """The next seat, held by somebody new."""
        customer, seat = self.customer(points), next(self._seats)
        request = reservation_pb2.CreateReservationRequest(
            customer=customer, performance=self.performance, seats=[seat]
        )
        return Hold(customer, seat, self.reservations.CreateReservation(request).name)

    def available(self, customer: str) -> int:
        """Points that the customer may spend."""
        request = point_pb2.GetPointAccountRequest(name=f"{customer}/pointAccount")
        return self.points.GetPointAccount(request).available_balance

    def reservation(self, hold: Hold) -> reservation_pb2.Reservation:
        """What has become of a hold."""
        return self.reservations.GetReservation(reservation_pb2.GetReservationRequest(name=hold.reservation))

    def waiting(self) -> Waiting:
        """A checkout that an operator has suspended before its pivot was sent, so that it stays open. He races with it;
        when he loses, which is seldom, he lets it go and takes the next."""
        for _ in range(CATCHES):
            hold = self.hold()
            request = order(hold, wait_s=0)
            checkout = self.checkouts.CreateCheckout(request)
            try:
                saga = self.sagas.SuspendSaga(saga_pb2.SuspendSagaRequest(name=saga_of(checkout), reason="stop here"))
            except grpc.RpcError as error:
                scenario.expect(error.code(), grpc.StatusCode.FAILED_PRECONDITION, "suspending one that has ended")
                continue
            pivot = next(step for step in saga.steps if step.kind == saga_pb2.Saga.Step.PIVOT)
            if pivot.attempt_count == 0:
                return Waiting(hold, request, checkout)
            self.sagas.ResumeSaga(saga_pb2.ResumeSagaRequest(name=saga.name, reason="too late"))
        raise AssertionError(f"{CATCHES} checkouts in a row were past their pivot before they could be stopped")


def order(hold: Hold, wait_s: int, request: str = "") -> checkout_pb2.CreateCheckoutRequest:
    """The request to buy what is held."""
    wanted = checkout_pb2.Checkout(
        customer=hold.customer, reservation=hold.reservation, payment_method=payment_pb2.Payment.POINT
    )
    return checkout_pb2.CreateCheckoutRequest(
        checkout=wanted, wait=Duration(seconds=wait_s), request_id=request or request_id()
    )


def request_id() -> str:
    """A new one."""
    return str(uuid.uuid4())


def saga_of(checkout: checkout_pb2.Checkout) -> str:
    """The saga that drives a checkout."""
    return checkout.name.replace("checkouts/", "sagas/")


if __name__ == "__main__":
    found = BoxOffice(scenario.channel()).waiting()
    print(found.checkout.name, found.hold.customer, saga_of(found.checkout), sep="\n")
