//! Identifiers, good and bad.

use service_kit::ids::{self, BUCKETS, Ids};
use service_kit::refusal::Fault;
use uuid::{Uuid, Variant, Version};

const ID: &str = "0190f7a2-3c4d-7e5f-8a9b-0c1d2e3f4a5b";

/// The problem that a fault names.
fn problem<T: std::fmt::Debug>(result: Result<T, Fault>) -> String {
    match result {
        Err(Fault::Invalid { field, problem, reason: "FIELD_INVALID" }) if field == "customer" => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_uuid_has_one_spelling() {
    assert_eq!(ids::uuid("customer", ID).unwrap().to_string(), ID);
    assert_eq!(problem(ids::uuid("customer", "")), "is required: a UUID");
    let upper = ID.to_uppercase();
    let braced = format!("{{{ID}}}");
    let urn = format!("urn:uuid:{ID}");
    let plain = ID.replace('-', "");
    let long = "x".repeat(10_000);
    for bad in [upper.as_str(), &braced, &urn, &plain, &long, "1", " ", "0190f7a2-3c4d-7e5f-8a9b-0c1d2e3f4a5g", "한글"]
    {
        let problem = problem(ids::uuid("customer", bad));
        assert!(problem.starts_with("must be a UUID in lower case with hyphens, not \""), "{problem}");
        assert!(problem.len() < 300, "{problem}");
    }
    assert!(problem(ids::uuid("customer", "a\n\u{1b}[31m")).ends_with("\"a\\n\\u{1b}[31m\""));
}

#[test]
fn a_resource_name_is_taken_apart_only_when_it_fits_its_pattern() {
    let name = format!("customers/{ID}");
    assert_eq!(ids::name("customer", &name, "customers").unwrap().to_string(), ID);
    let seat = ids::segments("customer", "concerts/c/performances/p/seats/A-12", ["concerts", "performances", "seats"]);
    assert_eq!(seat.unwrap(), ["c", "p", "A-12"]);
    for bad in ["customers", "customers/", "/customers/x", "customers/x/", "customers/x/y", "customer/x", "Customers/x"]
    {
        let problem = problem(ids::segments("customer", bad, ["customers"]));
        assert!(problem.starts_with("must look like customers/{id}; it is \""), "{problem}");
    }
    assert_eq!(
        problem(ids::segments("customer", "", ["concerts", "performances"])),
        "must look like concerts/{id}/performances/{id}; it is required"
    );
    assert!(problem(ids::name("customer", "customers/7", "customers")).starts_with("must be a UUID"));
}

#[test]
fn a_saga_has_the_id_that_its_request_gives_it() {
    let request = Uuid::parse_str(ID).unwrap();
    let saga = ids::saga_id("checkout", "customers/1", request);
    assert_eq!(saga, ids::saga_id("checkout", "customers/1", request));
    assert_eq!((saga.get_version(), saga.get_variant()), (Some(Version::Custom), Variant::RFC4122));
    assert_eq!(saga.as_bytes()[..6], request.as_bytes()[..6], "it sorts by time");
    let others = [
        ids::saga_id("cancellation", "customers/1", request),
        ids::saga_id("checkout", "customers/2", request),
        ids::saga_id("checkoutc", "ustomers/1", request),
        ids::saga_id("checkout", "customers/1", Uuid::from_u128(request.as_u128() + 1)),
    ];
    assert!(others.iter().all(|other| *other != saga));
}

#[test]
fn buckets_are_stable_in_range_and_evenly_filled() {
    assert_eq!(ids::bucket(Uuid::from_u128(0xffff)), 1023);
    assert_eq!(ids::bucket(Uuid::from_u128(1024)), 0);
    let mut filled = vec![0; usize::try_from(BUCKETS).unwrap()];
    let source = Ids::seeded(1);
    for time in 0..50_000 {
        let saga = ids::saga_id("checkout", "customers/1", source.next(time));
        filled[usize::try_from(ids::bucket(saga)).unwrap()] += 1;
    }
    assert!(filled.iter().all(|count| (15..110).contains(count)), "{filled:?}");
}

#[test]
fn ids_that_follow_from_others_are_always_the_same_and_never_each_other() {
    let saga = Uuid::parse_str(ID).unwrap();
    let forward = ids::operation_id(saga, "reserve-points", "forward");
    assert_eq!(forward, ids::operation_id(saga, "reserve-points", "forward"));
    assert_ne!(forward, ids::operation_id(saga, "reserve-points", "compensate"));
    assert_eq!(ids::derived(saga, "ticket"), ids::derived(saga, "ticket"));
    assert_ne!(ids::derived(saga, "ticket"), ids::derived(forward, "ticket"));
}

#[test]
fn new_ids_ascend_even_within_a_millisecond_and_when_the_clock_goes_back() {
    let source = Ids::seeded(7);
    let times = (0..5000).map(|_| 10).chain([9, 1, 0, -5, 11, 12]);
    let made: Vec<Uuid> = times.map(|time| source.next(time)).collect();
    assert!(made.is_sorted_by(|one, next| one < next));
    assert!(made.iter().all(|id| id.get_version() == Some(Version::SortRand)));
    assert!(made.iter().all(|id| id.get_variant() == Variant::RFC4122));
    let again = Ids::seeded(7);
    assert_eq!(again.next(10), made[0], "the same seed, the same ids");
    assert_ne!(Ids::seeded(8).next(10), made[0]);
}
