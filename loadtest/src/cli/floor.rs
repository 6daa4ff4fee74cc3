//! `loadtest floor`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Directory on the disk that is to be measured.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// Address of a PostgreSQL server to be measured as well: postgresql://skald@127.0.0.1/skald
    #[arg(long)]
    postgres: Option<String>,
    /// Print JSON for programs instead of text for people.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool> {
        let floors = loadtest::floors(&self.directory, self.postgres.as_deref()).await?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&floors)?);
        } else {
            println!("{floors}");
        }
        Ok(true)
    }
}
