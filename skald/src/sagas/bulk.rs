//! `skald saga bulk`: one verb for many sagas, carried out by the server.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::bulk_operation::Verb;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use serde_json::json;
use service_kit::clock::{Clock as _, SystemClock};
use service_kit::ids::Ids;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::client::explain;
use crate::view::operations as view;

/// How often an operation is looked at that somebody waits for.
const LOOK: Duration = Duration::from_millis(300);
/// Results of one call.
const PAGE: i32 = 500;

/// What to do with bulk operations.
#[derive(Debug, Subcommand)]
pub enum Bulk {
    /// Start one verb for all open sagas that a filter finds; the server goes through them one by one.
    Start(Start),
    /// Show how far an operation is.
    Show {
        /// Name or uuid of the operation.
        operation: String,
        /// Also what became of each saga.
        #[arg(long)]
        results: bool,
    },
    /// List operations, newest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1000))]
        limit: i32,
    },
    /// End an operation before it is through; what it has done stays done.
    Cancel {
        /// Name or uuid of the operation.
        operation: String,
    },
}

/// What to start.
#[derive(Debug, Args)]
pub struct Start {
    /// What to do to each saga.
    #[arg(value_enum)]
    verb: Wanted,
    /// AIP-160 filter, e.g. 'state = SUSPENDED AND kind = checkout'.
    #[arg(long)]
    filter: String,
    /// Why; it is kept in each saga's history.
    #[arg(long)]
    reason: String,
    /// UUID of this request; the same one again answers the same operation.
    #[arg(long)]
    request_id: Option<Uuid>,
    /// Only count what the filter finds now.
    #[arg(long)]
    validate_only: bool,
    /// Wait until it has ended.
    #[arg(long, conflicts_with = "validate_only")]
    wait: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wanted {
    /// Try at once what backs off.
    Retry,
    /// Stop and compensate what is not decided yet.
    Abort,
    /// Hold still for a person.
    Suspend,
    /// Let go on.
    Resume,
}

pub(super) async fn run(client: SagaServiceClient<Channel>, command: Bulk, as_json: bool) -> Result<()> {
    let mut desk = Desk { client, as_json };
    match command {
        Bulk::Start(start) => desk.start(start).await,
        Bulk::Show { operation, results } => {
            let operation = desk.look(&name(&operation)).await?;
            let results = if results { Some(desk.results(&operation.name).await?) } else { None };
            desk.show(&operation, results.as_deref());
            Ok(())
        }
        Bulk::List { limit } => desk.list(limit).await,
        Bulk::Cancel { operation } => {
            let request = pb::CancelBulkOperationRequest { name: name(&operation) };
            let answer = desk.client.cancel_bulk_operation(request).await;
            desk.show(&answer.map_err(|status| explain(&status))?.into_inner(), None);
            Ok(())
        }
    }
}

struct Desk {
    client: SagaServiceClient<Channel>,
    as_json: bool,
}

impl Desk {
    async fn start(&mut self, start: Start) -> Result<()> {
        let verb = match start.verb {
            Wanted::Retry => Verb::Retry,
            Wanted::Abort => Verb::Abort,
            Wanted::Suspend => Verb::Suspend,
            Wanted::Resume => Verb::Resume,
        };
        let request_id = start.request_id.unwrap_or_else(|| Ids::system().next(SystemClock.now_ms())).to_string();
        let request = pb::StartBulkOperationRequest {
            filter: start.filter,
            verb: verb.into(),
            reason: start.reason,
            request_id: request_id.clone(),
            validate_only: start.validate_only,
        };
        let answer = self.client.start_bulk_operation(request).await.map_err(|status| explain(&status));
        let mut operation =
            answer.with_context(|| format!("request {request_id}; repeat it with --request-id"))?.into_inner();
        while start.wait && operation.end_time.is_none() {
            tokio::time::sleep(LOOK).await;
            operation = self.look(&operation.name).await?;
        }
        if start.validate_only && !self.as_json {
            println!("the filter finds {} open sagas now; nothing was done", operation.matched_count);
        } else {
            self.show(&operation, None);
        }
        Ok(())
    }

    async fn look(&mut self, name: &str) -> Result<pb::BulkOperation> {
        let request = pb::GetBulkOperationRequest { name: name.to_owned() };
        let answer = self.client.get_bulk_operation(request).await;
        Ok(answer.map_err(|status| explain(&status))?.into_inner())
    }

    async fn results(&mut self, name: &str) -> Result<Vec<pb::BulkOperationResult>> {
        let mut results = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListBulkOperationResultsRequest { parent: name.to_owned(), page_size: PAGE, page_token };
            let answer = self.client.list_bulk_operation_results(request).await;
            let page = answer.map_err(|status| explain(&status))?.into_inner();
            results.extend(page.results);
            if page.next_page_token.is_empty() {
                return Ok(results);
            }
            page_token = page.next_page_token;
        }
    }

    async fn list(&mut self, limit: i32) -> Result<()> {
        let request = pb::ListBulkOperationsRequest { page_size: limit, ..Default::default() };
        let answer = self.client.list_bulk_operations(request).await;
        let operations = answer.map_err(|status| explain(&status))?.into_inner().bulk_operations;
        if self.as_json {
            println!("{:#}", json!(operations.iter().map(view::operation_json).collect::<Vec<_>>()));
        } else if operations.is_empty() {
            println!("no bulk operation");
        } else {
            println!("{}", view::operation_table(&operations));
        }
        Ok(())
    }

    fn show(&self, operation: &pb::BulkOperation, results: Option<&[pb::BulkOperationResult]>) {
        if self.as_json {
            let mut shown = view::operation_json(operation);
            if let Some(results) = results {
                shown["results"] = results.iter().map(view::result_json).collect();
            }
            println!("{shown:#}");
            return;
        }
        println!("{}", view::operation_text(operation));
        if let Some(results) = results {
            println!("{}", view::result_table(results));
        }
    }
}

fn name(given: &str) -> String {
    format!("bulkOperations/{}", given.rsplit('/').next().unwrap_or_default())
}
