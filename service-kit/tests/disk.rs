//! A disk that is full or may not be written. Needs the right to mount a small file system; says so where it lacks it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use service_kit::args;
use service_kit::clock::SystemClock;
use service_kit::db::{Db, Error, Migration, Tx};
use tokio::sync::{Mutex, MutexGuard};

const NOTES: &[Migration] =
    &[Migration { version: 1, name: "notes", sql: "create table note (id bigint not null primary key, body text)" }];

/// One test at a time, in a process of their own: a `mount` that starts holds every open file for a moment.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A file system of a few megabytes.
struct Small(tempfile::TempDir, #[expect(dead_code, reason = "held until the test ends")] MutexGuard<'static, ()>);

impl Small {
    async fn mount() -> Option<Self> {
        let alone = ALONE.lock().await;
        let directory = tempfile::tempdir().unwrap();
        if mount(&["-t", "tmpfs", "-o", "size=4m", "skald-test"], directory.path()) {
            return Some(Self(directory, alone));
        }
        // Past the capture of the test runner: a skipped test must be seen.
        let skipped = b"skipped: no right to mount a tmpfs, so full and read-only disks were not tried\n";
        std::io::stderr().write_all(skipped).unwrap();
        None
    }

    fn remount(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], self.0.path()));
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

fn mount(args: &[&str], place: &Path) -> bool {
    let mounted = Command::new("mount").args(args).arg(place).output();
    mounted.is_ok_and(|output| output.status.success())
}

async fn open(directory: &Path) -> Db {
    let db = Db::open(directory, Arc::new(SystemClock)).unwrap();
    db.migrate("test", NOTES).await.unwrap();
    db
}

async fn ids(db: &Db) -> Vec<i64> {
    let rows: Result<Vec<(i64,)>, Error> =
        db.read(async |tx| tx.fetch_all("select id from note order by id", &[]).await).await;
    rows.unwrap().into_iter().map(|(id,)| id).collect()
}

async fn put(db: &Db, id: i64) -> Result<(), Error> {
    db.write(async move |tx: &mut Tx<'_>| {
        let body = "x".repeat(20_000);
        tx.execute("insert into note (id, body) values ($1, $2)", args![id, &body]).await.map(drop)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_keeps_what_it_acknowledged_and_recovers_when_freed() {
    let Some(disk) = Small::mount().await else { return };
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 1_000_000]).unwrap();
    let data = disk.0.path().join("data");
    let db = open(&data).await;
    let mut acknowledged = Vec::new();
    let mut failures = 0;
    for id in 0..400 {
        match put(&db, id).await {
            Ok(()) => acknowledged.push(id),
            Err(Error::Unavailable(_)) => failures += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(!acknowledged.is_empty() && failures > 0, "{failures} failures");
    assert_eq!(ids(&db).await, acknowledged);
    std::fs::remove_file(ballast).unwrap();
    put(&db, 1000).await.unwrap();
    acknowledged.push(1000);
    assert_eq!(ids(&db).await, acknowledged);
    drop(db);
    assert_eq!(ids(&open(&data).await).await, acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_disk_is_named_at_the_start_and_never_acknowledges_a_write() {
    let Some(disk) = Small::mount().await else { return };
    let data = disk.0.path().join("data");
    let db = open(&data).await;
    put(&db, 1).await.unwrap();
    drop(db);
    disk.remount("ro");
    for directory in [&data, &disk.0.path().join("new")] {
        let error = Db::open(directory, Arc::new(SystemClock)).unwrap_err();
        assert!(error.to_string().contains(directory.to_str().unwrap()), "{error}");
        assert!(error.to_string().contains("Read-only file system"), "{error}");
    }
    disk.remount("rw");
    assert_eq!(ids(&open(&data).await).await, [1]);
}
