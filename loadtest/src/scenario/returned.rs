//! A performance whose seats are sold is cancelled, and every reservation of it is given back, while another concert sells.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::rounds::Rounds;
use super::{Found, Stand};
use crate::aftermath::{cancel, confirmed};
use crate::client::Client;
use crate::drive::fire;
use crate::findings::{Expected, Part};
use crate::plan::{Load, Plan};
use crate::seed::seed;
use crate::system::Shape;

/// How many buy at a time what is given back later.
const BUYERS: usize = 64;
/// How long the last reservations may take after the load.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_secs(1);

pub(super) async fn run(stand: &Stand) -> Result<Found> {
    let server = stand.makings.start("returned", Shape::One, &[]).await?;
    let client = Client::connect(&server.target()).await?;
    let mut rounds = Rounds::new(stand);
    // Enough that giving it back lasts as long as the rounds beside it, at the rate at which it goes by default.
    let sold = ((rounds.seconds() * 20.0 * 1.5) as usize).max(100);
    let plan = Plan { seed: stand.seed, ..Plan::clean(sold, Load::Closed { concurrency: BUYERS }) };
    let stage = seed(&client, &plan, stand.progress).await?;
    fire(&client, &plan, &stage, stand.progress, None).await?;
    let performance = stage.performance.clone();

    for _ in 0..rounds.each() {
        rounds.alone(&client).await?;
    }
    let before = confirmed(&client, &performance).await?;
    cancel(&client, &performance).await?;
    for _ in 0..rounds.each() {
        rounds.beside(&client).await?;
    }
    let at_the_end = confirmed(&client, &performance).await?;
    let started = Instant::now();
    let mut left = at_the_end;
    while left > 0 && started.elapsed() < PATIENCE {
        sleep(LOOK).await;
        left = confirmed(&client, &performance).await?;
    }
    let mut found = Found::default();
    let (store, _) = server.end()?;
    found.verdicts.push(store.verify(false, None).await?);
    found.expected = vec![
        Expected::new("something was to be given back", before, before > 0),
        Expected::new("reservations not given back: 0", left, left == 0),
    ];
    let counts = [("reservations to be given back", before), ("left at the end of the load", at_the_end)];
    let counts = counts.map(|(what, count)| (what.to_owned(), count)).to_vec();
    found.parts.push(Part::Comparison { comparison: rounds.compare(), counts });
    Ok(found)
}
