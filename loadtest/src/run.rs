//! A whole run, phase by phase.

use anyhow::Result;

use crate::client::Client;
use crate::cpu;
use crate::drive::fire;
use crate::faults::Faults;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::Report;
use crate::seed::seed;
use crate::settle::settle;

/// Does to the server at `target` what the plan says, and tells what came of it. Faults are switched only where they are
/// handed in: by whoever runs the server in this process and has put them in front of its participants.
///
/// # Errors
/// When nobody answers at `target`, or when what the run stands on could not be had. What happens to a checkout is no
/// error, it is in the report.
pub async fn run(target: &str, plan: &Plan, progress: Progress, faults: Option<&Faults>) -> Result<Report> {
    run_with(&Client::connect(target).await?, plan, progress, faults).await
}

/// The same with connections that are there already.
pub(crate) async fn run_with(
    client: &Client,
    plan: &Plan,
    progress: Progress,
    faults: Option<&Faults>,
) -> Result<Report> {
    let stage = seed(client, plan, progress).await?;
    let cpu_before = cpu::seconds_of_all(&plan.pids)?;
    let volley = fire(client, plan, &stage, progress, faults).await?;
    let settled = settle(client, plan, &stage, &volley).await?;
    let cpu_after = cpu::seconds_of_all(&plan.pids)?;
    let cpu_seconds = cpu_after.zip(cpu_before).map(|(after, before)| after - before);
    Ok(Report::new(plan, volley, settled, cpu_seconds))
}
