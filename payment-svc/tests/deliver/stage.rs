//! One payment service with its deliveries, whoever knows the customers, and stand-ins of the world outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::{CloudEvent, PROTOBUF, Receipt};
use outside::listen::Listening;
use outside::messenger::{self, Message, Messenger};
use outside::platform::{self, Platform};
use payment_svc::Config;
use payment_svc::deliver::{Deliveries, verify};
use proto::event::v1 as data;
use proto::payment::v1 as pb;
use proto::payment::v1::delivery_service_client::DeliveryServiceClient;
use service_kit::clock::{Clock, ManualClock};
use service_kit::db::{self, Db};
use service_kit::host::Host;
use service_kit::ids::Ids;
use tonic::Status;
use tonic::service::Routes;
use uuid::Uuid;

use crate::customers::Customers;

pub(crate) const START_MS: i64 = 1_700_000_000_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Longer than any lease.
pub(crate) const LEASE_MS: i64 = 70_000;
const SEED: u64 = 7;

pub(crate) struct Stage {
    pub(crate) db: Db,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) host: Host,
    pub(crate) config: Config,
    pub(crate) messenger: Messenger,
    pub(crate) platform: Platform,
    pub(crate) deliveries: Deliveries,
    pub(crate) api: DeliveryServiceClient<Routes>,
    pub(crate) customers: Customers,
    pub(crate) listening: Vec<Listening>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn with(set: impl FnOnce(&mut Config)) -> Self {
        let clock = Arc::new(ManualClock::at(START_MS));
        Self::over(testbed::db(clock.clone()).await, clock, set).await
    }

    pub(crate) async fn over(db: Db, clock: Arc<ManualClock>, set: impl FnOnce(&mut Config)) -> Self {
        let messenger = Messenger::new(messenger::Behaviour::default(), SEED, clock.clone());
        let platform = Platform::new(platform::Behaviour::default(), SEED);
        let listening =
            vec![messenger.listen("127.0.0.1:0").await.unwrap(), platform.listen("127.0.0.1:0").await.unwrap()];
        let mut config = Config::default();
        (config.messenger.url, config.platform.url) = (listening[0].url(), listening[1].url());
        set(&mut config);
        let host = Host::new(db.clone(), clock.clone(), Ids::seeded(SEED));
        let payments = payment_svc::start(&host, config.clone()).await.unwrap();
        let customers = Customers::default();
        let deliveries = Deliveries::new(&host, &config, || customers.client()).unwrap();
        let api = DeliveryServiceClient::new(deliveries.beside(payments.routes));
        Self { db, clock, host, config, messenger, platform, deliveries, api, customers, listening }
    }

    /// Another process over the same database.
    pub(crate) fn replica(&self) -> Deliveries {
        Deliveries::new(&self.host, &self.config, || self.customers.client()).unwrap()
    }

    pub(crate) async fn take(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        self.deliveries.handler().handle(events).await
    }

    /// Takes an event that must be taken.
    pub(crate) async fn happens(&self, event: &CloudEvent) {
        assert_eq!(self.take(std::slice::from_ref(event)).await, [Receipt::Taken]);
    }

    /// Works on what is due now, until nothing is.
    pub(crate) async fn work(&self) {
        while self.deliveries.round().await.unwrap() > 0 {}
    }

    /// Lets time pass and works on what has become due.
    pub(crate) async fn after(&self, ms: i64) {
        self.clock.advance(ms);
        self.work().await;
    }

    /// Lets time pass, ten seconds at a time, until nothing is open or the time is over.
    pub(crate) async fn drain(&self, longest_ms: i64) {
        let end = self.clock.now_ms() + longest_ms;
        self.work().await;
        while self.clock.now_ms() < end && self.open().await > 0 {
            self.after(10_000).await;
        }
    }

    pub(crate) async fn open(&self) -> i64 {
        let backlog = self.deliveries.backlog().await.unwrap();
        backlog.iter().filter(|some| some.state != payment_svc::deliver::State::Dead).map(|some| some.count).sum()
    }

    /// All deliveries of an event: channel, state and last error, in the order of the channels.
    pub(crate) async fn deliveries_of(&mut self, event: &CloudEvent) -> Vec<(String, String, String)> {
        let mut found = self.list(&format!("event_id = {}", event.id)).await.unwrap();
        found.sort_by_key(|delivery| delivery.channel);
        let told = |delivery: &pb::Delivery| {
            let (channel, state) = (delivery.channel().as_str_name(), delivery.state().as_str_name());
            (channel.to_owned(), state.to_owned(), delivery.last_error.clone())
        };
        found.iter().map(told).collect()
    }

    /// The states of all deliveries of an event, in the order of the channels.
    pub(crate) async fn states_of(&mut self, event: &CloudEvent) -> Vec<String> {
        self.deliveries_of(event).await.into_iter().map(|(channel, state, _)| format!("{channel} {state}")).collect()
    }

    pub(crate) async fn list(&mut self, filter: &str) -> Result<Vec<pb::Delivery>, Status> {
        let request = pb::ListDeliveriesRequest { filter: filter.into(), page_size: 1_000, ..Default::default() };
        Ok(self.api.list_deliveries(request).await?.into_inner().deliveries)
    }

    /// How often each reservation was told of by a message that arrived.
    pub(crate) fn told(&self) -> BTreeMap<String, usize> {
        let mut told = BTreeMap::new();
        for message in self.messenger.books().delivered {
            *told.entry(reservation_of(&message)).or_default() += 1;
        }
        told
    }

    /// Nothing breaks a rule.
    pub(crate) async fn expect_sound(&self) {
        assert_eq!(self.findings().await, []);
    }

    pub(crate) async fn findings(&self) -> Vec<(&'static str, String)> {
        let found = self.db.read(async move |tx| {
            let mut found = Vec::new();
            for check in verify::CHECKS {
                found.extend(check.findings(tx).await?.into_iter().map(|finding| (check.id, finding.problem)));
            }
            Ok::<_, db::Error>(found)
        });
        found.await.unwrap()
    }
}

fn reservation_of(message: &Message) -> String {
    message.variables["reservation"].clone()
}

/// An event of the orchestrator, one of many.
pub(crate) fn event(number: u128, kind: &str, data: &impl prost::Message) -> CloudEvent {
    let id = uuid::Builder::from_unix_timestamp_millis(
        START_MS.unsigned_abs(),
        number.to_be_bytes()[6..].try_into().unwrap(),
    );
    CloudEvent {
        id: id.into_uuid(),
        source: "/ticketing/orchestrator".into(),
        kind: kind.into(),
        subject: format!("checkouts/{}", Uuid::from_u128(number)),
        time_ms: START_MS,
        partition: reservation(number),
        version: 9,
        correlation: Some(Uuid::from_u128(number)),
        causation: None,
        trace_parent: None,
        expiry_time_ms: Some(START_MS + 24 * HOUR_MS),
        schema: None,
        content_type: PROTOBUF.into(),
        data: data.encode_to_vec().into(),
    }
}

/// Two seats are sold to a customer.
pub(crate) fn sold(number: u128, customer: Uuid) -> CloudEvent {
    let data = data::CheckoutCompleted {
        checkout: format!("checkouts/{}", Uuid::from_u128(number)),
        customer: format!("customers/{customer}"),
        reservation: reservation(number),
        amount: 300,
        currency_code: "KRW".into(),
        concert_title: "Winter".into(),
        seat_labels: vec!["Floor A 12".into(), "Floor A 13".into()],
        ..Default::default()
    };
    event(number, "ticketing.checkout.completed.v1", &data)
}

pub(crate) fn reservation(number: u128) -> String {
    format!("reservations/{}", Uuid::from_u128(number))
}
