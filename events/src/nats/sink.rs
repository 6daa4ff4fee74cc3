//! The sink: each event in binary mode, with an id by which the server tells repeats, and taken when the server says that
//! it is stored.

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::{Connection, Place};
use crate::binary::Binding;
use crate::cloud_event::CloudEvent;
use crate::sink::{Receipt, Sink};

/// The header by which JetStream tells repeats.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Publishes events to a stream.
#[derive(Debug)]
pub struct Nats {
    place: Place,
    connection: Mutex<Option<Connection>>,
}

impl Nats {
    /// A sink that connects when it has something to publish.
    pub fn new(place: Place) -> Self {
        Self { place, connection: Mutex::default() }
    }

    async fn connection(&self) -> Result<Connection, String> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            let is_there = connection.is_there();
            return is_there.then(|| connection.clone()).ok_or_else(|| format!("{} is not there", self.place.url));
        }
        let connection = Connection::open(&self.place).await?;
        connection.stream(&self.place).await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }

    /// The next event finds out whether the stream is still there.
    async fn forget(&self) {
        *self.connection.lock().await = None;
    }

    async fn publish_one(&self, connection: &Connection, event: &CloudEvent) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_ID, event.key());
        for (name, value) in Binding::Http.headers(event) {
            headers.insert(name, value);
        }
        let published = connection.jetstream.publish_with_headers(event.kind.clone(), headers, event.data.clone());
        published.await?.await.map(drop)
    }
}

#[async_trait]
impl Sink for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    async fn publish(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        let connection = match self.connection().await {
            Ok(connection) => connection,
            Err(why) => return vec![Receipt::Unavailable(why); events.len()],
        };
        let published = join_all(events.iter().map(|event| self.publish_one(&connection, event))).await;
        let is_gone = |published: &Result<(), PublishError>| {
            published.as_ref().is_err_and(|error| error.kind() == PublishErrorKind::StreamNotFound)
        };
        if published.iter().any(is_gone) {
            self.forget().await;
        }
        published.into_iter().map(receipt).collect()
    }
}

fn receipt(published: Result<(), PublishError>) -> Receipt {
    let Err(error) = published else { return Receipt::Taken };
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Receipt::Refused(error.to_string()),
        PublishErrorKind::WrongLastMessageId | PublishErrorKind::WrongLastSequence | PublishErrorKind::Other => {
            Receipt::Failed(error.to_string())
        }
        PublishErrorKind::StreamNotFound
        | PublishErrorKind::TimedOut
        | PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending => Receipt::Unavailable(error.to_string()),
    }
}
