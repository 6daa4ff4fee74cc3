//! What ended long ago is archived, then forgotten, and the participants are told in time.

use std::sync::Arc;

use orchestrator::archive::{Archive, Error};
use orchestrator::journal::{Journal as _, SqlJournal};
use orchestrator::plans::Plans;
use orchestrator::{Config, Started};
use proto::orchestrator::v1 as pb;
use service_kit::db::{self, Tx};
use service_kit::host::Host;
use tonic::Status;
use uuid::Uuid;

use crate::fakes::Fakes;
use crate::world::{clients, fakes, host, request};

const DAY_MS: i64 = 86_400_000;

/// An orchestrator over its own tables.
struct Place {
    fakes: Arc<Fakes>,
    host: Host,
    started: Started,
    journal: Arc<SqlJournal>,
    archive: Archive,
}

impl Place {
    async fn new() -> Self {
        let (fakes, host) = (fakes(), host().await);
        let started = orchestrator::start(&host, Config::default(), Plans::default(), fakes.participants(), Vec::new());
        let started = started.await.unwrap();
        let journal = Arc::new(SqlJournal::new(host.db.clone(), Config::default().lease()));
        let (plans, participants) = (Plans::default(), Arc::new(fakes.participants()));
        let archive = Archive::new(journal.clone(), &plans, &participants, &Config::default());
        Self { fakes, host, started, journal, archive }
    }

    /// So many checkouts that have ended.
    async fn ended(&self, numbers: std::ops::Range<u128>) -> Vec<Uuid> {
        let (mut checkouts, _) = clients(&self.started);
        let mut ids = Vec::new();
        for number in numbers {
            let name = checkouts.create_checkout(request(number)).await.unwrap().into_inner().name;
            let watch = pb::WatchCheckoutRequest { name: name.clone() };
            let mut versions = checkouts.watch_checkout(watch).await.unwrap().into_inner();
            while versions.message().await.unwrap().is_some() {}
            ids.push(name.rsplit('/').next().unwrap().parse().unwrap());
        }
        ids
    }

    async fn in_days(&self, days: i64) -> Result<(), Error> {
        self.archive.round(self.host.clock.now_ms() + days * DAY_MS).await
    }

    async fn rows(&self, sql: &'static str) -> i64 {
        let count = async move |tx: &mut Tx<'_>| tx.fetch_one::<(i64,)>(sql, &[]).await;
        let (count,): (i64,) = self.host.db.read(count).await.map_err(|error: db::Error| error).unwrap();
        count
    }

    async fn sagas(&self) -> i64 {
        self.rows("select count(*) from orchestrator_saga").await
    }

    async fn history(&self) -> i64 {
        self.rows("select count(*) from orchestrator_saga_event").await
    }
}

#[tokio::test]
async fn an_archived_saga_has_no_history_and_still_answers_for_its_request() {
    let place = Place::new().await;
    let ids = place.ended(1..4).await;
    assert!(place.history().await > 0);

    place.in_days(29).await.unwrap();
    assert!(place.history().await > 0, "archived too early");
    place.in_days(31).await.unwrap();

    assert_eq!((place.sagas().await, place.history().await), (3, 0));
    let mut told = place.fakes.archived.lock().unwrap().clone();
    told.sort();
    let each: Vec<_> = ids.iter().map(|id| format!("sagas/{id}")).collect();
    let mut expected = [&each[..]; 4].concat();
    expected.sort();
    assert_eq!(told, expected, "each of the four participants is told once");
    let calls = place.fakes.calls("LockReservation");
    let (mut checkouts, _) = clients(&place.started);
    let repeat = checkouts.create_checkout(request(1)).await.unwrap().into_inner();
    assert_eq!(repeat.name, format!("checkouts/{}", ids[0]));
    assert_eq!((repeat.state(), place.fakes.calls("LockReservation")), (pb::checkout::State::Completed, calls));
}

#[tokio::test]
async fn a_participant_that_cannot_be_told_holds_the_archiving_up() {
    let place = Place::new().await;
    place.ended(1..2).await;
    place.fakes.fail("PurgeSagaOperations", Status::unavailable("gone"));
    assert!(matches!(place.in_days(31).await, Err(Error::Notice { .. })));
    assert!(place.history().await > 0);

    place.fakes.heal("PurgeSagaOperations");
    place.in_days(31).await.unwrap();
    assert_eq!(place.history().await, 0);
}

#[tokio::test]
async fn a_saga_that_is_open_is_never_archived() {
    let place = Place::new().await;
    let release = place.fakes.hold("ConfirmReservation");
    let (mut checkouts, _) = clients(&place.started);
    let asked = pb::CreateCheckoutRequest { wait: crate::world::seconds(0), ..request(1) };
    checkouts.create_checkout(asked).await.unwrap();
    place.in_days(10_000).await.unwrap();
    assert_eq!(place.sagas().await, 1);
    assert!(place.history().await > 0);
    release.send(true).unwrap();
}

#[tokio::test]
async fn tables_stop_growing() {
    let place = Place::new().await;
    let mut sizes = Vec::new();
    for round in 0..3 {
        place.ended(round * 20..round * 20 + 20).await;
        place.in_days(2_000).await.unwrap();
        sizes.push((place.sagas().await, place.history().await));
    }
    assert_eq!(sizes, [(0, 0); 3]);
    let forgotten = place.rows("select forgotten_before from orchestrator_shard").await;
    assert!(forgotten > 0, "nobody could tell that sagas are missing");
    assert!(place.journal.ended(i64::MAX, 10).await.unwrap().is_empty());
    assert!(place.journal.list(&Default::default()).await.unwrap().is_empty());
}
