//! A performance whose seats are sold is cancelled, and every reservation of it is given back, while another concert sells.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::{Outcome, Rounds, Scenario, Stand};
use crate::aftermath::{cancel, confirmed};
use crate::client::Client;
use crate::drive::fire;
use crate::plan::{Load, Plan};
use crate::progress::Progress;
use crate::seed::seed;

/// How many buy at a time what is given back later.
const BUYERS: usize = 64;
/// How long the last reservations may take after the load.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_secs(1);

pub(super) async fn run(stand: &Stand) -> Result<Outcome> {
    let server = stand.serve("returned", &[])?;
    let client = Client::connect(&server.address).await?;
    // Enough that giving it back lasts as long as the rounds beside it, at the rate at which it goes by default.
    let seconds = stand.customers as f64 / stand.rate * stand.rounds as f64;
    let sold = ((seconds * 20.0 * 1.5) as usize).max(100);
    let plan = Plan { seed: stand.seed, ..Plan::clean(sold, Load::Closed { concurrency: BUYERS }) };
    let stage = seed(&client, &plan, Progress::Shown).await?;
    fire(&client, &plan, &stage, Progress::Shown, None).await?;
    let performance = stage.performance.clone();

    let mut rounds = Rounds::new(stand);
    for _ in 0..stand.rounds {
        rounds.alone(&client).await?;
    }
    let before = confirmed(&client, &performance).await?;
    cancel(&client, &performance).await?;
    for _ in 0..stand.rounds {
        rounds.beside(&client).await?;
    }
    let at_the_end = confirmed(&client, &performance).await?;
    let started = Instant::now();
    let mut left = at_the_end;
    while left > 0 && started.elapsed() < PATIENCE {
        sleep(LOOK).await;
        left = confirmed(&client, &performance).await?;
    }
    server.end()?;
    let is_clean = stand.verify("returned")? && left == 0 && before > 0;
    let counts = [
        ("reservations to be given back", before),
        ("left at the end of the load", at_the_end),
        ("left in the end", left),
    ];
    let counts = counts.map(|(what, count)| (what.to_owned(), count)).to_vec();
    Ok(Outcome { scenario: Scenario::Returned, rate: stand.rate, comparison: rounds.compare(), counts, is_clean })
}
