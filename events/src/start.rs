//! Puts together what a process does about events: sinks, a relay for each outbox, and sources for those who listen.
//!
//! Nothing here waits for a broker: what is down is found out when there is something to publish or to read.

use std::sync::Arc;

use service_kit::db::Db;
use service_kit::host::Host;
use service_kit::outbox::Outbox;
use service_kit::process::BoxError;

use crate::handler::Handler;
use crate::local::Local;
use crate::log::Log;
use crate::relay::Relay;
use crate::settings::{Settings, SinkName, SourceName};
use crate::sink::Sink;
use crate::webhook::Webhook;
use crate::{kafka, nats};

/// All of it for a process of one service, whose outbox lies in the host's database.
///
/// # Errors
/// When the tables cannot be brought up to date, or a setting does not fit.
pub async fn start(
    host: &Host,
    settings: &Settings,
    outbox: &'static Outbox,
    handlers: &[Arc<dyn Handler>],
) -> Result<(), BoxError> {
    let sinks = sinks(settings, handlers)?;
    relay(host, (&host.db, outbox), &sinks, settings).await?;
    consume(host, settings, handlers);
    Ok(())
}

/// The sinks of a process, for all its relays. Handlers of the same process are one of them where they are to listen there.
///
/// # Errors
/// When a setting does not fit.
pub fn sinks(settings: &Settings, handlers: &[Arc<dyn Handler>]) -> Result<Vec<Arc<dyn Sink>>, BoxError> {
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
    if settings.source == SourceName::Local && !handlers.is_empty() {
        sinks.push(Arc::new(Local::new(handlers.iter().cloned())));
    }
    for name in &settings.sinks {
        sinks.push(match name {
            SinkName::Log => Arc::new(Log),
            SinkName::Webhook => {
                let webhook = &settings.webhook;
                Arc::new(Webhook::new(&webhook.url, &webhook.secret, webhook.timeout())?)
            }
            SinkName::Nats => Arc::new(nats::Nats::new((&settings.nats).into())),
            SinkName::Kafka => Arc::new(kafka::Kafka::new((&settings.kafka).into())),
        });
    }
    Ok(sinks)
}

/// Brings the tables of events up to date and relays an outbox until the host stops.
///
/// # Errors
/// When the tables cannot be brought up to date.
pub async fn relay(
    host: &Host,
    (db, outbox): (&Db, &'static Outbox),
    sinks: &[Arc<dyn Sink>],
    settings: &Settings,
) -> Result<Relay, BoxError> {
    db.migrate("events", migrations::events::MIGRATIONS).await?;
    let service = outbox.source.rsplit('/').next().unwrap_or_default();
    let (list, steps) = migrations::events::outbox(service).ok_or_else(|| format!("{service} has no outbox"))?;
    db.migrate(list, steps).await?;
    let relay = Relay::new(host, (db, outbox), sinks, settings.policy());
    relay.start(host, settings.keep_days);
    Ok(relay)
}

/// Has handlers read from a broker until the host stops, where they are to read from one. The tables of events are in the
/// host's database.
pub fn consume(host: &Host, settings: &Settings, handlers: &[Arc<dyn Handler>]) {
    for handler in handlers.iter().cloned() {
        match settings.source {
            SourceName::Local | SourceName::Webhook => {}
            SourceName::Nats => nats::consume(host, (&settings.nats).into(), handler),
            SourceName::Kafka => kafka::consume(host, (&settings.kafka).into(), handler),
        }
    }
}
