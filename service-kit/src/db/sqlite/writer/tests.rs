//! A commit that fails in ways that no test can bring about from outside.

use std::sync::Mutex;

use rusqlite::ffi;

use super::*;
use crate::clock::SystemClock;

fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

fn writer(commit: fn(&Connection) -> rusqlite::Result<()>) -> Writer {
    let connection = super::super::open::memory().unwrap();
    connection.execute_batch("create table note (id bigint)").unwrap();
    let mut writer = Writer::new(connection, Arc::new(SystemClock), Arc::default());
    writer.commit = commit;
    writer
}

/// Writes a row and tells what the caller heard.
fn put(writer: &mut Writer) -> Result<(), Error> {
    put_each(writer, &[false]).remove(0)
}

/// The same for rows in one batch, each ahead of the commit or not.
fn put_each(writer: &mut Writer, ahead: &[bool]) -> Vec<Result<(), Error>> {
    let (mut jobs, mut answers) = (Vec::new(), Vec::new());
    for is_ahead in ahead {
        let (answer, answered) = oneshot::channel();
        let work = async |tx: &mut Tx<'_>| tx.execute("insert into note values (1)", &[]).await.map(drop);
        jobs.push(Box::new(Unit { work, answer, is_ahead: *is_ahead }) as Box<dyn Job>);
        answers.push(answered);
    }
    writer.run(&mut jobs.into_iter());
    answers.into_iter().map(|answered| answered.blocking_recv().unwrap()).collect()
}

fn count(writer: &Writer) -> i64 {
    writer.connection.query_row("select count(*) from note", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_commit_in_doubt_says_so_and_puts_the_database_out_of_service() {
    let not_landed: fn(&Connection) -> _ = |_| Err(failure(ffi::SQLITE_IOERR_FSYNC));
    let landed: fn(&Connection) -> _ = |connection| {
        connection.execute_batch("commit")?;
        Err(failure(ffi::SQLITE_IOERR_FSYNC))
    };
    for (commit, kept) in [(not_landed, 0), (landed, 1)] {
        let mut writer = writer(commit);
        assert!(matches!(put(&mut writer), Err(Error::InDoubt(_))));
        writer.commit = |connection| connection.execute_batch("commit");
        match put(&mut writer) {
            Err(Error::Unavailable(text)) => assert!(text.contains("until a restart"), "{text}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(count(&writer), kept);
        assert_eq!(writer.counters.stats().commits, 0);
    }
}

#[test]
fn a_commit_that_met_a_full_disk_is_taken_back_for_certain_and_may_be_tried_again() {
    let mut writer = writer(|_| Err(failure(ffi::SQLITE_FULL)));
    assert!(matches!(put(&mut writer), Err(Error::Unavailable(_))));
    writer.commit = |connection| connection.execute_batch("commit");
    assert!(put(&mut writer).is_ok());
    assert_eq!(count(&writer), 1);
}

#[test]
fn a_failed_commit_that_somebody_was_answered_ahead_of_is_the_end_even_if_it_was_taken_back() {
    let mut writer = writer(|_| Err(failure(ffi::SQLITE_FULL)));
    let heard = put_each(&mut writer, &[true, false, true]);
    assert!(matches!(heard[..], [Ok(()), Err(Error::Unavailable(_)), Ok(())]), "{heard:?}");
    assert!(writer.counters.is_broken() && writer.counters.is_ahead());
    writer.commit = |connection| connection.execute_batch("commit");
    let heard = put_each(&mut writer, &[true, false]);
    assert!(matches!(heard[..], [Err(Error::Unavailable(_)), Err(Error::Unavailable(_))]), "{heard:?}");
    assert_eq!(count(&writer), 0);
}

#[test]
fn a_transaction_that_the_database_gave_up_fails_its_whole_batch_and_keeps_nothing() {
    static RAN: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let mut writer = writer(|connection| connection.execute_batch("commit"));
    let (mut jobs, mut answers) = (Vec::new(), Vec::new());
    for name in ["before", "culprit", "after"] {
        let (answer, answered) = oneshot::channel();
        let work = async move |tx: &mut Tx<'_>| {
            RAN.lock().unwrap().push(name);
            if name == "culprit" {
                // As SQLite does by itself when a write meets a full disk.
                tx.script("rollback").await.unwrap();
                let orphan = tx.execute("insert into note values (2)", &[]).await;
                assert!(matches!(orphan, Err(Error::Unavailable(_))), "{orphan:?}");
            }
            tx.execute("insert into note values (1)", &[]).await.map(drop)
        };
        jobs.push(Box::new(Unit { work, answer, is_ahead: false }) as Box<dyn Job>);
        answers.push(answered);
    }
    writer.run(&mut jobs.into_iter());
    for answer in answers {
        assert!(matches!(answer.blocking_recv().unwrap(), Err::<(), _>(Error::Unavailable(_))));
    }
    assert_eq!(*RAN.lock().unwrap(), ["before", "culprit"]);
    assert_eq!(count(&writer), 0);
    assert!(put(&mut writer).is_ok());
}
