//! Word from process to process through the database (LISTEN, NOTIFY): at once when all is well, and never relied upon.
//! Nothing is said in a transaction, as that would make the commits of all speakers wait for each other.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use super::fault::text;
use crate::db::Hints;

/// Hints that may wait; more are lost.
const QUEUE: usize = 256;
/// Pause before a connection that was lost is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens a channel to all processes that use one of the same name on this database.
pub(super) fn open(config: Config, channel: String) -> Hints {
    let (say, said) = mpsc::channel(QUEUE);
    let (hear, heard) = mpsc::channel(QUEUE);
    tokio_util::task::TaskTracker::new().spawn(keep_open(config, channel, said, hear));
    Hints { say, heard }
}

/// Ends when nobody can say anything any more.
async fn keep_open(config: Config, channel: String, mut said: mpsc::Receiver<String>, hear: mpsc::Sender<String>) {
    loop {
        if let Err(error) = listen(&config, &channel, &mut said, &hear).await {
            tracing::debug!(error = text(&error), "no hints from other processes for a moment");
        }
        if said.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen(
    config: &Config,
    channel: &str,
    said: &mut mpsc::Receiver<String>,
    hear: &mpsc::Sender<String>,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    let (told, mut notices) = mpsc::channel(QUEUE);
    let driving = tokio_util::task::TaskTracker::new().spawn(async move {
        let mut messages = futures_util::stream::poll_fn(|context| connection.poll_message(context));
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(notice) = message? {
                // A hint too many is a hint that may be lost.
                drop(told.try_send(notice));
            }
        }
        Ok(())
    });
    let own_pid = begin(&client, channel).await?;
    loop {
        tokio::select! {
            word = said.recv() => match word {
                Some(word) => {
                    client.execute("select pg_notify($1, $2)", &[&channel, &word]).await?;
                }
                None => return Ok(()),
            },
            notice = notices.recv() => match notice {
                Some(notice) if notice.process_id() != own_pid => drop(hear.try_send(notice.payload().to_owned())),
                Some(_) => {}
                None => break,
            },
        }
    }
    driving.await.unwrap_or(Ok(()))
}

async fn begin(client: &Client, channel: &str) -> Result<i32, tokio_postgres::Error> {
    client.batch_execute(&format!("listen \"{channel}\"")).await?;
    Ok(client.query_one("select pg_backend_pid()", &[]).await?.get(0))
}
