//! Lists, page by page.

use proto::orchestrator::v1 as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{CUSTOMER, OTHER, RESERVATION, World, refused, request};

async fn list(world: &World, ask: pb::ListCheckoutsRequest) -> Result<pb::ListCheckoutsResponse, Status> {
    world.checkouts.clone().list_checkouts(ask).await.map(tonic::Response::into_inner)
}

async fn found(world: &World, filter: &str) -> usize {
    let ask = pb::ListCheckoutsRequest { filter: filter.into(), ..Default::default() };
    list(world, ask).await.unwrap().checkouts.len()
}

#[tokio::test]
async fn pages_walk_through_all_checkouts_newest_first_and_each_once() {
    let world = World::new().await;
    for number in 0..25 {
        world.ended(number).await;
    }
    for page_size in [1, 4, 5, 24, 25, 26, 2_000] {
        let mut seen = Vec::new();
        let mut page_token = String::new();
        loop {
            let ask = pb::ListCheckoutsRequest { page_size, page_token, ..Default::default() };
            let page = list(&world, ask).await.unwrap();
            assert!(page.checkouts.len() <= usize::try_from(page_size).unwrap());
            seen.extend(page.checkouts);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let times: Vec<_> = seen.iter().map(|one| one.create_time.unwrap()).collect();
        assert!(times.windows(2).all(|pair| (pair[0].seconds, pair[0].nanos) >= (pair[1].seconds, pair[1].nanos)));
        let names: std::collections::BTreeSet<_> = seen.iter().map(|one| &one.name).collect();
        assert_eq!((seen.len(), names.len()), (25, 25), "page size {page_size}");
    }
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let world = World::new().await;
    world.ended(1).await;
    world.fakes.fail("ReservePoints", refused("INSUFFICIENT_POINTS"));
    world.ended(2).await;
    let mut of_other = request(3);
    of_other.checkout.as_mut().unwrap().customer = OTHER.into();
    world.create(of_other).await.unwrap();
    let customer = format!("customer = \"{CUSTOMER}\"");
    assert_eq!(found(&world, "").await, 3);
    assert_eq!(found(&world, &customer).await, 2);
    assert_eq!(found(&world, &format!("reservation={RESERVATION}")).await, 3);
    assert_eq!(found(&world, "state = FAILED").await, 2);
    assert_eq!(found(&world, "state = \"COMPLETED\"").await, 1);
    assert_eq!(found(&world, "state = RUNNING").await, 0);
    assert_eq!(found(&world, &format!("{customer} AND state = FAILED")).await, 1);
    let sagas = pb::ListSagasRequest { filter: "kind = checkout AND state = COMPENSATED".into(), ..Default::default() };
    assert_eq!(world.sagas.clone().list_sagas(sagas).await.unwrap().into_inner().sagas.len(), 2);
}

#[tokio::test]
async fn what_a_list_does_not_understand_is_refused_with_its_place() {
    let world = World::new().await;
    let filter = |filter: &str| pb::ListCheckoutsRequest { filter: filter.into(), ..Default::default() };
    let order = |order: &str| pb::ListCheckoutsRequest { order_by: order.into(), ..Default::default() };
    let token = |token: &str| pb::ListCheckoutsRequest { page_token: token.into(), ..Default::default() };
    let table = [
        (filter("state"), "filter", "at character 6"),
        (filter("state = NOWHERE"), "filter", "NOWHERE, which is none of RUNNING"),
        (filter("amount = 5"), "filter", "amount, which is none of customer"),
        (filter("customer = \"reservations/x\""), "filter", "customers/{id}"),
        (filter("state = FAILED AND state = RUNNING"), "filter", "twice"),
        (filter("state = FAILED OR state = RUNNING"), "filter", "AND"),
        (order("create_time"), "order_by", "create_time desc"),
        (order("amount desc"), "order_by", "create_time desc"),
        (token("x"), "page_token", "none that a page"),
        (token("!!!"), "page_token", "none that a page"),
        (token("MSwyLDM"), "page_token", "none that a page"),
        (pb::ListCheckoutsRequest { page_size: -1, ..Default::default() }, "page_size", "negative"),
    ];
    for (ask, field, problem) in table {
        let status = list(&world, ask).await.unwrap_err();
        let violation = &status.get_details_bad_request().unwrap().field_violations[0];
        assert_eq!((status.code(), violation.field.as_str()), (Code::InvalidArgument, field));
        assert!(violation.description.contains(problem), "{}", violation.description);
    }
    assert!(list(&world, order("create_time  desc")).await.is_ok());
}
