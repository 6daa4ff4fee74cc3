//! What happens to those who drive sagas while a load goes on: they are killed or replaced, one after the other.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch::Receiver;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::exercise::{Fall, Interruption};
use crate::system::System;
use crate::watch::Watch;

/// From one to the next.
const PERIOD: Duration = Duration::from_secs(5);

/// Goes on until it is over, and gives the system back when all of it runs.
pub(super) async fn interrupt(
    what: Interruption,
    (mut system, next): (System, Option<&Path>),
    watch: &Watch,
    mut is_over: Receiver<bool>,
) -> Result<(System, Vec<Fall>)> {
    let mut falls = Vec::new();
    let mut due = Instant::now() + PERIOD;
    let most = match what {
        Interruption::None | Interruption::Skewed => 0,
        // Each is replaced once, and killed as often as there is time.
        Interruption::Replaced => system.coordinators(),
        Interruption::Killed => usize::MAX,
    };
    while falls.len() < most {
        let ended = tokio::select! {
            ended = is_over.wait_for(|over| *over) => ended.is_ok(),
            () = sleep_until(due) => false,
        };
        if ended {
            break;
        }
        due += PERIOD;
        let number = falls.len() % system.coordinators();
        let second = watch.started().elapsed().as_secs_f64();
        let fell = Instant::now();
        let next = next.map(Path::to_owned);
        // It waits until the process listens, and must not keep customers from coming meanwhile.
        system = spawn_blocking(move || {
            match what {
                Interruption::Replaced => system.replace(number, next.as_deref())?,
                Interruption::Killed | Interruption::Skewed | Interruption::None => {
                    system.kill(number)?;
                    system.restart(number)?;
                }
            }
            anyhow::Ok(system)
        })
        .await
        .context("a server could not be interrupted")??;
        watch.follow(system.pids());
        let away_seconds = fell.elapsed().as_secs_f64();
        falls.push(Fall { second, away_seconds, taken_over_seconds: None });
    }
    // The load may end while a server is away, but not this.
    drop(is_over.wait_for(|over| *over).await);
    Ok((system, falls))
}
