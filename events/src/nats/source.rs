//! The source: a durable consumer that the server remembers by the handler's name. What is not acknowledged comes again,
//! to whoever reads next.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{AckKind, Message};
use futures_util::StreamExt as _;
use service_kit::host::Host;

use super::{Connection, Place, SUBJECTS};
use crate::binary::Binding;
use crate::cloud_event::{CloudEvent, Malformed};
use crate::handler::Handler;
use crate::lease::Lease;
use crate::source::{Insistence, TURN, lease_of};

/// Events in one go.
const BATCH: usize = 128;
/// When the server takes an event to be lost with whoever had it; longer than the longest pause of a handler.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// Reads for the handler until the host stops. The tables of events are in the host's database.
pub fn consume(host: &Host, place: Place, handler: Arc<dyn Handler>) {
    let holder = host.ids.next(host.clock.now_ms());
    let lease = Lease::new(host.db.clone(), lease_of(&*handler), holder);
    let stop = host.stop.clone();
    host.tasks.spawn(async move {
        stop.run_until_cancelled(Box::pin(read_for_ever(&place, &handler, &lease))).await;
        if let Err(error) = lease.release().await {
            tracing::debug!(%error, "the next reader starts when this lease has ended");
        }
    });
}

async fn read_for_ever(place: &Place, handler: &Arc<dyn Handler>, lease: &Lease) {
    loop {
        if lease.hold().await.unwrap_or(false)
            && let Err(error) = read(place, handler, lease).await
        {
            tracing::warn!(handler = handler.name(), error, "no events from NATS for a moment");
        }
        tokio::time::sleep(TURN).await;
    }
}

/// Reads until it is another's turn, or something fails.
async fn read(place: &Place, handler: &Arc<dyn Handler>, lease: &Lease) -> Result<(), String> {
    let connection = Connection::open(place).await?;
    let consumer = consumer(&connection, place, handler.name()).await?;
    let messages = consumer.stream().max_messages_per_batch(BATCH).messages().await;
    let mut chunks = messages.map_err(|error| error.to_string())?.ready_chunks(BATCH);
    loop {
        let chunk = tokio::time::timeout(TURN, chunks.next()).await;
        if !lease.hold().await.map_err(|error| error.to_string())? {
            return Ok(());
        }
        match chunk {
            Ok(Some(chunk)) => {
                let messages: Result<Vec<Message>, _> = chunk.into_iter().collect();
                take(handler, messages.map_err(|error| error.to_string())?).await?;
            }
            Ok(None) => return Err("the subscription has ended".into()),
            Err(_nothing) if connection.is_there() => {}
            Err(_nothing) => return Err(format!("{} is not there", place.url)),
        }
    }
}

async fn consumer(connection: &Connection, place: &Place, name: &str) -> Result<PullConsumer, String> {
    let stream = connection.stream(place).await?;
    let config = pull::Config {
        durable_name: Some(name.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        filter_subject: SUBJECTS.to_owned(),
        max_ack_pending: i64::try_from(4 * BATCH).unwrap_or(i64::MAX),
        ..pull::Config::default()
    };
    stream.get_or_create_consumer(name, config).await.map_err(|error| error.to_string())
}

async fn take(handler: &Arc<dyn Handler>, messages: Vec<Message>) -> Result<(), String> {
    let (mut events, mut taken) = (Vec::new(), Vec::new());
    for message in messages {
        match decode(&message) {
            Ok(event) => {
                events.push(event);
                taken.push(message);
            }
            Err(malformed) => {
                tracing::error!(subject = %message.subject, %malformed, "a message is given up");
                message.ack_with(AckKind::Term).await.map_err(|error| error.to_string())?;
            }
        }
    }
    let mut insistence = Insistence::new(events);
    while !insistence.attempt(handler).await {
        for message in &taken {
            message.ack_with(AckKind::Progress).await.map_err(|error| error.to_string())?;
        }
        insistence.rest().await;
    }
    for message in &taken {
        message.ack().await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn decode(message: &Message) -> Result<CloudEvent, Malformed> {
    let header = |name: &str| Some(message.headers.as_ref()?.get(name)?.as_str().to_owned());
    Binding::Http.event(header, message.payload.clone())
}
