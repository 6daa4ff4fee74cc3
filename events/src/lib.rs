//! How events leave a service and reach those who listen: the relay from the outbox to a sink, the sinks, and the sources
//! that consumers read from. Events are CloudEvents 1.0.
//!
//! ```text
//! outbox ─► relay ─► sink: log, webhook, Kafka, NATS JetStream ─► source: receiver, Kafka, NATS ─┐
//!                  └─► sink: local ────────────────────────────────────────────────────────────► handler
//! ```
//!
//! What the events are, and when they come about, is the services' affair; what is done about them, the handlers'.

pub mod binary;
mod cloud_event;
mod handler;
pub mod json;
pub mod kafka;
mod kinds;
mod lane;
mod lease;
mod local;
mod log;
pub mod nats;
pub mod receiver;
mod relay;
mod settings;
pub mod signature;
mod sink;
mod source;
mod start;
mod store;
mod webhook;

pub use cloud_event::{CloudEvent, Malformed, PROTOBUF};
pub use handler::{Handler, offer};
pub use lane::Policy;
pub use lease::{Error, Lease};
pub use local::Local;
pub use log::Log;
pub use relay::{Lag, Relay};
pub use settings::{KafkaSettings, NatsSettings, Settings, SinkName, SourceName, WebhookSettings};
pub use sink::{Receipt, Sink};
pub use start::{consume, relay, sinks, start};
pub use store::{DeadLetter, dead_letters, offer_again};
pub use webhook::Webhook;
