//! `skald migrate`: brings tables up to date before the services that need them are started, such as by somebody who may
//! change tables where the services may not. A service finds nothing left to do then, and else does it itself.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde_json::json;
use service_kit::clock::SystemClock;
use service_kit::db::{self, Db, Migration};
use service_kit::process;

use crate::settings::Settings;

/// A service that has tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Service {
    Customer,
    Concert,
    Payment,
    Token,
    Orchestrator,
}

impl Service {
    fn tables(self) -> (&'static str, &'static [Migration]) {
        match self {
            Self::Customer => ("customer", migrations::customer::MIGRATIONS),
            Self::Concert => ("concert", migrations::concert::MIGRATIONS),
            Self::Payment => ("payment", migrations::payment::MIGRATIONS),
            Self::Token => ("token", migrations::token::MIGRATIONS),
            Self::Orchestrator => ("orchestrator", migrations::orchestrator::MIGRATIONS),
        }
    }
}

/// Brings the tables of `services` up to date, or those of all when none is named, and prints what was done.
///
/// # Errors
/// When a database cannot be reached, a statement fails, or the tables are newer than this program.
pub async fn run(settings: &Settings, services: &[Service], as_json: bool) -> Result<()> {
    let services = if services.is_empty() { Service::value_variants() } else { services };
    let directory = Path::new(&settings.server.data_dir);
    let mut done = Vec::new();
    for service in services {
        let (name, migrations) = service.tables();
        let place = settings.database.shown(directory, name);
        let db = process::open(directory, (&settings.database, name), Arc::new(SystemClock)).await?;
        let applied = all(&db, name, migrations).await;
        let applied =
            applied.with_context(|| format!("the tables of {name} ({place}) cannot be brought up to date"))?;
        if !as_json {
            let what =
                if applied.is_empty() { "up to date".to_owned() } else { format!("applied {}", applied.join(", ")) };
            println!("{name} ({place}): {what}");
        }
        done.push(json!({ "service": name, "applied": applied }));
    }
    if as_json {
        println!("{:#}", json!(done));
    }
    Ok(())
}

/// The tables of a service, and those that its events need.
async fn all(db: &Db, name: &'static str, migrations: &'static [Migration]) -> Result<Vec<&'static str>, db::Error> {
    let mut applied = db.migrate(name, migrations).await?;
    applied.extend(db.migrate("events", migrations::events::MIGRATIONS).await?);
    if let Some((list, steps)) = migrations::events::outbox(name) {
        applied.extend(db.migrate(list, steps).await?);
    }
    Ok(applied)
}
