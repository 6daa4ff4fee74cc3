//! Tables of the relays and of those who consume events; every service has them beside its own. One set serves all
//! services that share a database.

use service_kit::db::Migration;

/// Their steps, in order.
pub const MIGRATIONS: &[Migration] = super::steps![
    "events":
    "0001_lease",
    "0002_queue",
    "0003_held",
    "0004_held_due",
    "0005_dead",
    "0006_offset",
];

/// What the relay needs of the outbox of a service: a list of its own, so that it does not get between the service's.
macro_rules! outboxes {
    ($($name:ident $prefix:literal),+ $(,)?) => {
        $(
            #[doc = concat!("Steps of the outbox of ", $prefix, ", a list of its own.")]
            pub const $name: &[Migration] = &[Migration {
                version: 1,
                name: "outbox_order",
                // An event's age does not tell its place among those of its aggregate.
                sql: concat!(
                    "create index ", $prefix, "_outbox_order on ", $prefix,
                    "_outbox (aggregate collate \"binary\", version) where publish_time is null;"
                ),
            }];
        )+
    };
}

outboxes! {
    CUSTOMER "customer",
    CONCERT "concert",
    PAYMENT "payment",
    TOKEN "token",
    ORCHESTRATOR "orchestrator",
}

/// The steps of the outbox of a service, and what their list is called; none where there is no such service.
pub fn outbox(service: &str) -> Option<(&'static str, &'static [Migration])> {
    match service {
        "customer" => Some(("customer_events", CUSTOMER)),
        "concert" => Some(("concert_events", CONCERT)),
        "payment" => Some(("payment_events", PAYMENT)),
        "token" => Some(("token_events", TOKEN)),
        "orchestrator" => Some(("orchestrator_events", ORCHESTRATOR)),
        _ => None,
    }
}
