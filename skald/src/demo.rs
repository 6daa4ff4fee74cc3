//! `skald demo`.

use clap::Args;

use crate::settings::Settings;

/// How the demo runs.
#[derive(Debug, Args)]
pub struct Options {
    /// End when the tables are printed instead of serving on.
    #[arg(long)]
    exit: bool,
}

/// Runs it; tells whether everything held.
///
/// # Errors
/// When it cannot start.
pub async fn run(settings: Settings, options: Options, _as_json: bool) -> anyhow::Result<bool> {
    let running = crate::up::start(settings, Box::new(|_, participant| participant)).await?;
    println!("http://{} {}", running.address, options.exit);
    running.shut_down().await?;
    Ok(true)
}
