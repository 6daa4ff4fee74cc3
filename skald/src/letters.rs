//! `skald events`: dead letters, which are events that a sink would not take, and how to have them offered again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use events::DeadLetter;
use serde_json::json;
use service_kit::clock::SystemClock;
use service_kit::db::Db;
use service_kit::process;
use uuid::Uuid;

use crate::settings::Settings;
use crate::verify::Books;
use crate::view;

/// What to look at, or to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List events that a sink would not take, the oldest first.
    Dead {
        /// How many of each database at most.
        #[arg(long, default_value_t = 50)]
        limit: u16,
        /// Where the databases are.
        #[command(flatten)]
        settings: process::Arguments,
    },
    /// Have a dead letter offered to its sink again. On SQLite no service may be running, as its file has one writer.
    Again(Again),
}

/// Which one.
#[derive(Debug, Args)]
pub struct Again {
    /// The id of the event.
    event: Uuid,
    /// Whose it is, such as /ticketing/payment.
    source: String,
    /// Which sink.
    sink: String,
    #[command(flatten)]
    settings: process::Arguments,
}

/// Does it, on the databases that the settings lead to.
///
/// # Errors
/// When there is no database, it cannot be read or written, or there is no such letter.
pub async fn run(command: Command, settings: &Settings, as_json: bool) -> Result<()> {
    match command {
        Command::Dead { limit, .. } => list(&Books::open(settings).await?.all(), limit, as_json).await,
        Command::Again(Again { event, source, sink, .. }) => again(settings, event, (source, sink)).await,
    }
}

impl Command {
    /// Where the settings come from.
    pub fn settings(&self) -> &process::Arguments {
        match self {
            Self::Dead { settings, .. } | Self::Again(Again { settings, .. }) => settings,
        }
    }
}

async fn list(databases: &[Db], limit: u16, as_json: bool) -> Result<()> {
    let mut letters = BTreeMap::new();
    for db in databases {
        let some = db.read(async move |tx| events::dead_letters(tx, i64::from(limit)).await).await?;
        letters
            .extend(some.into_iter().map(|letter| ((letter.dead_time, letter.event.id, letter.sink.clone()), letter)));
    }
    let letters: Vec<_> = letters.into_values().collect();
    if as_json {
        let json = |letter: &DeadLetter| {
            json!({
                "event": letter.event.id, "source": letter.source, "sink": letter.sink, "type": letter.event.kind,
                "subject": letter.event.aggregate, "sequence": letter.event.version, "attempts": letter.attempts,
                "deadTimeMs": letter.dead_time, "why": letter.last_error,
            })
        };
        println!("{:#}", json!(letters.iter().map(json).collect::<Vec<_>>()));
        return Ok(());
    }
    let mut table = view::table(&["event", "source", "sink", "type", "subject", "attempts", "why"]);
    for DeadLetter { event, source, sink, attempts, last_error, .. } in &letters {
        let (id, attempts) = (event.id.to_string(), attempts.to_string());
        table.add_row([&id, source, sink, &event.kind, &event.aggregate, &attempts, last_error]);
    }
    println!("{table}\n{} dead letters", letters.len());
    Ok(())
}

async fn again(settings: &Settings, event: Uuid, (source, sink): (String, String)) -> Result<()> {
    let service = source.rsplit('/').next().unwrap_or_default();
    let known = ["concert", "customer", "payment", "token", "orchestrator"];
    let Some(service) = known.into_iter().find(|known| *known == service) else {
        bail!("{source} is no source; it must be /ticketing/ with one of {}", known.join(", "));
    };
    for db in writable(settings, service).await? {
        let (from, to) = (source.clone(), sink.clone());
        if db.write(async move |tx| events::offer_again(tx, &from, &to, event).await).await? {
            println!("{event} is offered to {sink} again");
            return Ok(());
        }
    }
    bail!("{source} has no dead letter {event} of {sink}")
}

/// The databases of a service, to write to.
async fn writable(settings: &Settings, service: &'static str) -> Result<Vec<Db>> {
    if service == "orchestrator" && !settings.shards.is_empty() {
        return Ok(Books::open(settings).await?.orchestrator);
    }
    let directory = Path::new(&settings.server.data_dir);
    let own = settings.server.directory(service);
    let place = if own.is_dir() { own.as_path() } else { directory };
    Ok(vec![process::open(place, (&settings.database, service), Arc::new(SystemClock)).await?])
}
