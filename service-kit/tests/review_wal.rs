//! Probe: does the log stay bounded while readers never pause?
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use service_kit::args;
use service_kit::clock::SystemClock;
use service_kit::db::{Db, Migration, Tx};

static M: &[Migration] = &[Migration { version: 1, name: "t", sql: "create table t (id bigint primary key, v text)" }];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wal() {
    let dir = tempfile::tempdir().unwrap();
    let db = Db::open(dir.path(), Arc::new(SystemClock)).unwrap();
    db.migrate("t", M).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for _ in 0..16 {
        let (db, stop) = (db.clone(), stop.clone());
        readers.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let r: Result<Vec<(i64, String)>, service_kit::db::Error> =
                    db.read(async |tx: &mut Tx<'_>| tx.fetch_all("select id, v from t order by id desc limit 500", &[]).await).await;
                r.unwrap();
            }
        }));
    }
    let start = Instant::now();
    let mut next = 0i64;
    let mut shown = 0;
    while start.elapsed() < Duration::from_secs(40) {
        let base = next;
        next += 64;
        let writes = (0..64).map(|i| {
            let db = db.clone();
            tokio::spawn(async move {
                db.write(async move |tx: &mut Tx<'_>| {
                    let text = "x".repeat(1000);
                    tx.execute("insert into t (id, v) values ($1, $2)", args![(base + i).wrapping_mul(7_919) % 1_000_003, &text]).await.map(drop)
                }).await
            })
        });
        for w in writes.collect::<Vec<_>>() { w.await.unwrap().unwrap(); }
        if start.elapsed().as_secs() / 5 > shown {
            shown = start.elapsed().as_secs() / 5;
            let size = std::fs::metadata(dir.path().join("skald.db-wal")).unwrap().len();
            println!("{}s writes {} wal {} MiB commits {}", start.elapsed().as_secs(), next, size >> 20, db.stats().commits);
        }
    }
    stop.store(true, Ordering::Relaxed);
    for r in readers { r.await.unwrap(); }
}
