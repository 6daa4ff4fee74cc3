//! `skald saga`: look at sagas of a running Skald, and intervene.

use anyhow::Result;
use clap::{Args, Subcommand};
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use proto::orchestrator::v1::{GetSagaRequest, ListSagaEventsRequest, ListSagasRequest, Saga, WatchSagaRequest};
use serde_json::json;
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;

use crate::client::{connect, explain};
use crate::view;

mod act;
mod bulk;
mod stats;

use act::{Act, Resolve, Verb};
use bulk::Bulk;
use stats::Stats;

/// What to look at, or to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List sagas, newest first.
    List(List),
    /// Show one saga: its steps, attempts and outcomes.
    Show(Show),
    /// Follow one saga until it has ended.
    Watch {
        /// Name or uuid of the saga or its checkout.
        saga: String,
    },
    /// Count the open sagas: what they hold, and what keeps them.
    Stats(Stats),
    /// Try at once what backs off or is stuck.
    Retry(Act),
    /// Stop a saga that is not decided yet, and compensate it.
    Abort(Act),
    /// Hold a saga still: nothing is sent until it is resumed.
    Suspend(Act),
    /// Let a suspended saga go on.
    Resume(Act),
    /// State what became of a step, where nothing else can tell.
    Resolve(Resolve),
    /// One verb for many sagas.
    Bulk {
        /// What to do with them.
        #[command(subcommand)]
        command: Bulk,
    },
}

/// Which sagas to list.
#[derive(Debug, Args)]
pub struct List {
    /// AIP-160 filter, e.g. 'state = COMPENSATED AND customer = "customers/…"'.
    #[arg(long, default_value = "")]
    filter: String,
    /// How many at most.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1000))]
    limit: i32,
}

/// Which saga to show.
#[derive(Debug, Args)]
pub struct Show {
    /// Name or uuid of the saga or its checkout.
    saga: String,
    /// Also everything that ever happened to it.
    #[arg(long)]
    history: bool,
}

/// Runs a command against `address`.
///
/// # Errors
/// When nobody answers there, or the answer is an error.
pub async fn run(command: Command, address: &str, as_json: bool) -> Result<()> {
    let client = SagaServiceClient::new(connect(address).await?);
    match command {
        Command::List(list) => self::list(client, list, as_json).await,
        Command::Show(show) => self::show(client, show, as_json).await,
        Command::Watch { saga } => watch(client, &saga, as_json).await,
        Command::Stats(stats) => stats::run(client, stats, as_json).await,
        Command::Retry(act) => act::act(client, Verb::Retry, act, as_json).await,
        Command::Abort(act) => act::act(client, Verb::Abort, act, as_json).await,
        Command::Suspend(act) => act::act(client, Verb::Suspend, act, as_json).await,
        Command::Resume(act) => act::act(client, Verb::Resume, act, as_json).await,
        Command::Resolve(given) => act::resolve(client, given, as_json).await,
        Command::Bulk { command } => bulk::run(client, command, as_json).await,
    }
}

async fn list(mut client: SagaServiceClient<Channel>, list: List, as_json: bool) -> Result<()> {
    let request = ListSagasRequest { filter: list.filter, page_size: list.limit, ..Default::default() };
    let sagas = client.list_sagas(request).await.map_err(|status| explain(&status))?.into_inner().sagas;
    if as_json {
        println!("{:#}", json!(sagas.iter().map(view::saga_json).collect::<Vec<_>>()));
    } else if sagas.is_empty() {
        println!("no saga; `skald checkout` places one");
    } else {
        println!("{}", view::saga_table(&sagas));
    }
    Ok(())
}

async fn show(mut client: SagaServiceClient<Channel>, show: Show, as_json: bool) -> Result<()> {
    let name = saga_name(&show.saga);
    let request = GetSagaRequest { name: name.clone() };
    let saga = client.get_saga(request).await.map_err(|status| explain(&status))?.into_inner();
    print(&saga, as_json);
    if show.history {
        history(client, name, as_json).await?;
    }
    Ok(())
}

async fn history(mut client: SagaServiceClient<Channel>, parent: String, as_json: bool) -> Result<()> {
    let mut page_token = String::new();
    loop {
        let request = ListSagaEventsRequest { parent: parent.clone(), page_size: 200, page_token };
        let page = client.list_saga_events(request).await.map_err(|status| explain(&status))?.into_inner();
        for event in &page.events {
            let at = event.create_time.map(|at| at.to_string()).unwrap_or_default();
            if as_json {
                let (actor, reason, evidence) = (&event.actor, &event.reason, &event.evidence);
                println!(
                    "{}",
                    json!({ "version": event.version, "time": at, "summary": event.summary, "actor": actor,
                        "reason": reason, "evidence": evidence })
                );
            } else {
                println!("  {at}  v{:<4} {}", event.version, event.summary);
            }
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

async fn watch(mut client: SagaServiceClient<Channel>, saga: &str, as_json: bool) -> Result<()> {
    let request = WatchSagaRequest { name: saga_name(saga) };
    let mut versions = client.watch_saga(request).await.map_err(|status| explain(&status))?.into_inner();
    while let Some(saga) = versions.next().await {
        print(&saga.map_err(|status| explain(&status))?, as_json);
    }
    Ok(())
}

fn print(saga: &Saga, as_json: bool) {
    if as_json {
        println!("{}", view::saga_json(saga));
    } else {
        println!("{}", view::saga_tree(saga));
    }
}

/// A saga shares its uuid with what it drives.
fn saga_name(given: &str) -> String {
    format!("sagas/{}", given.rsplit('/').next().unwrap_or_default())
}
