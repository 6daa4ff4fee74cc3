//! NATS JetStream: one stream for all events, each under its type as subject, so that a consumer can ask for some of them.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions};

mod sink;
mod source;

pub use sink::Nats;
pub use source::consume;

/// What all types begin with.
const SUBJECTS: &str = "ticketing.>";
/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long JetStream knows an event that comes again: longer than a relay takes to find out that it did arrive.
const KNOWN: Duration = Duration::from_secs(600);
/// How long events are kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Where the server is, and which stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `nats://host:port`; several with commas between.
    pub url: String,
    /// The stream, made when it is missing.
    pub stream: String,
}

/// A connection, which is made again for ever when it is lost, and need not stand yet.
#[derive(Debug, Clone)]
struct Connection {
    client: Client,
    jetstream: jetstream::Context,
}

impl Connection {
    async fn open(place: &Place) -> Result<Self, String> {
        let options = ConnectOptions::new()
            .name("skald")
            .connection_timeout(TIMEOUT)
            .request_timeout(Some(TIMEOUT))
            .reconnect_delay_callback(|tries| Duration::from_millis(100 << tries.min(4)))
            .retry_on_initial_connect();
        let client = options.connect(place.url.as_str()).await.map_err(|error| error.to_string())?;
        let jetstream = jetstream::ContextBuilder::new().timeout(TIMEOUT).ack_timeout(TIMEOUT).build(client.clone());
        Ok(Self { client, jetstream })
    }

    fn is_there(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The stream, which is made when it is missing.
    async fn stream(&self, place: &Place) -> Result<stream::Stream, String> {
        let config = stream::Config {
            name: place.stream.clone(),
            subjects: vec![SUBJECTS.to_owned()],
            duplicate_window: KNOWN,
            max_age: KEPT,
            ..stream::Config::default()
        };
        self.jetstream.get_or_create_stream(config).await.map_err(|error| error.to_string())
    }
}
