//! `skald saga retry|abort|suspend|resume|resolve`: what a person may do to one saga.

use anyhow::Result;
use clap::{Args, ValueEnum};
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::saga::step::State;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use tonic::transport::Channel;

use super::{print, saga_name};
use crate::client::explain;

/// Which saga, and why.
#[derive(Debug, Args)]
pub struct Act {
    /// Name or uuid of the saga or its checkout.
    saga: String,
    /// Why; it is kept in the saga's history.
    #[arg(long)]
    reason: String,
    /// Only if the saga is still at this version, as `show` told it.
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(1..))]
    expected_version: Option<i64>,
}

/// What became of a step that nothing else can tell of.
#[derive(Debug, Args)]
pub struct Resolve {
    /// Name or uuid of the saga or its checkout.
    saga: String,
    /// Id of the step, such as reserve-points.
    #[arg(long)]
    step: String,
    /// What became of it.
    #[arg(long, value_enum)]
    state: Settled,
    /// Where it can be looked up that this is so.
    #[arg(long)]
    evidence: String,
    /// Why; it is kept in the saga's history.
    #[arg(long)]
    reason: String,
    /// The version that this was decided on, as `show` told it.
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i64).range(1..))]
    expected_version: i64,
}

/// What a person may state about a step.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Settled {
    /// It has happened.
    Succeeded,
    /// It has not happened and never will.
    Refused,
    /// It is taken back.
    Compensated,
}

/// A verb that needs no more than a reason.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Retry,
    Abort,
    Suspend,
    Resume,
}

pub(super) async fn act(mut client: SagaServiceClient<Channel>, verb: Verb, act: Act, as_json: bool) -> Result<()> {
    let (name, reason) = (saga_name(&act.saga), act.reason);
    let expected_version = act.expected_version.unwrap_or_default();
    let answer = match verb {
        Verb::Retry => client.retry_saga(pb::RetrySagaRequest { name, reason, expected_version }).await,
        Verb::Abort => client.abort_saga(pb::AbortSagaRequest { name, reason, expected_version }).await,
        Verb::Suspend => client.suspend_saga(pb::SuspendSagaRequest { name, reason, expected_version }).await,
        Verb::Resume => client.resume_saga(pb::ResumeSagaRequest { name, reason, expected_version }).await,
    };
    print(&answer.map_err(|status| explain(&status))?.into_inner(), as_json);
    Ok(())
}

pub(super) async fn resolve(mut client: SagaServiceClient<Channel>, given: Resolve, as_json: bool) -> Result<()> {
    let state = match given.state {
        Settled::Succeeded => State::Succeeded,
        Settled::Refused => State::Refused,
        Settled::Compensated => State::Compensated,
    };
    let request = pb::ResolveSagaStepRequest {
        name: saga_name(&given.saga),
        step_id: given.step,
        state: state.into(),
        reason: given.reason,
        expected_version: given.expected_version,
        evidence: given.evidence,
    };
    let saga = client.resolve_saga_step(request).await.map_err(|status| explain(&status))?.into_inner();
    print(&saga, as_json);
    Ok(())
}
