//! Everything at once, under load: servers end and freeze, connections break in random places. What callers were told
//! must be what the table holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use service_kit::db::Error;
use testbed::postgres::{DATABASE, Server, Stop};
use testbed::wire::{Cut, Wire};
use tokio_util::task::TaskTracker;

use crate::bed::{COMMIT, Ledger, insert, open, put_at_last, server, terminate_all};

const WORKERS: i64 = 12;
const EVENTS: usize = 24;

/// One misfortune, and its end.
fn strike(random: &mut fastrand::Rng, server: &Server, wire: &Wire) {
    let cut = if random.bool() { Cut::Before } else { Cut::After };
    match random.u8(0..8) {
        0 => server.kill9().and_then(|()| server.restart()).unwrap(),
        1 => server.stop(Stop::Fast).and_then(|()| server.restart()).unwrap(),
        2 => server.sigstop().and_then(|()| server.sigcont()).unwrap(),
        3 => drop(terminate_all(server)),
        4 => wire.cut(),
        5 => wire.cut_at(cut, "insert", random.usize(1..6)),
        _ => wire.cut_at(cut, COMMIT, random.usize(1..6)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_callers_are_told_what_the_table_holds() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("SEED={seed}");
    let server = Arc::new(server());
    let wire = Arc::new(Wire::to(&server.address()).unwrap());
    let db = open(wire.url(DATABASE)).await;
    let (ledger, ids) = (Arc::new(Ledger::default()), Arc::new(AtomicI64::new(0)));
    let over = Arc::new(AtomicBool::new(false));
    let workers = TaskTracker::new();
    for _ in 0..WORKERS {
        let (db, ledger, ids, over) = (db.clone(), ledger.clone(), ids.clone(), over.clone());
        workers.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let id = ids.fetch_add(1, Ordering::Relaxed);
                let told: Result<(), Error> = db.write(async move |tx| insert(tx, id).await).await;
                if told.is_err() {
                    // Nobody storms a database that is down.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                ledger.note(id, told);
            }
        });
    }
    let striking = {
        let (server, wire) = (server.clone(), wire.clone());
        tokio::task::spawn_blocking(move || {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..EVENTS {
                std::thread::sleep(Duration::from_millis(random.u64(20..150)));
                strike(&mut random, &server, &wire);
            }
            wire.cut_at(Cut::Before, "", 0);
        })
    };
    striking.await.unwrap();
    over.store(true, Ordering::Relaxed);
    workers.close();
    tokio::time::timeout(Duration::from_secs(60), workers.wait()).await.expect("every caller is answered");
    let last = ids.fetch_add(1, Ordering::Relaxed);
    put_at_last(&db, last).await;
    ledger.note(last, Ok(()));
    ledger.check(&server);
    let (done, failed, doubtful) = ledger.told();
    eprintln!("{done} done, {failed} not, {doubtful} in doubt, {} cuts", wire.cuts());
    assert!(done > 100 && failed + doubtful > 0, "vacuous: SEED={seed}, {done} {failed} {doubtful}");
}
