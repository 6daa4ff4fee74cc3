//! What can be said on the command line, a file for each command, and what several of them have in common.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use loadtest::Machine;
use loadtest::findings::Findings;
use loadtest::paper::{html, markdown};
use loadtest::system::{Engine, Makings};
use tempfile::TempDir;

pub(crate) mod checkout;
pub(crate) mod floor;
pub(crate) mod knee;
pub(crate) mod scenario;

/// How a run writes down what it has found out.
#[derive(Args)]
pub(crate) struct Output {
    /// JSON for programs: into a file, or instead of text for people.
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<PathBuf>>,
    #[command(flatten)]
    papers: Papers,
}

/// The same for people.
#[derive(Args)]
pub(crate) struct Papers {
    /// Markdown, into a file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// One page with plots that needs nothing else, into a file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// The commit that is measured, for the report.
    #[arg(long, env = "SKALD_COMMIT")]
    commit: Option<String>,
}

/// The servers that a run starts for itself.
#[derive(Args)]
pub(crate) struct Own {
    /// The binary `skald`; the one beside this program unless it is named.
    #[arg(long)]
    skald: Option<PathBuf>,
    /// Directory for the databases; one that goes afterwards unless it is named.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where the server's tables are.
    #[arg(long, value_enum, default_value_t = EngineName::Sqlite)]
    engine: EngineName,
    /// An empty database of a PostgreSQL server that runs already: postgresql://skald@127.0.0.1/skald
    #[arg(long)]
    postgres: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineName {
    /// A file.
    Sqlite,
    /// A private PostgreSQL server, from installed binaries.
    Postgres,
}

impl Output {
    /// Writes it everywhere where it is wanted.
    pub(crate) fn hand_over(&self, findings: &Findings) -> Result<()> {
        let json = || anyhow::Ok(format!("{:#}", findings.json()?));
        match &self.json {
            Some(None) => println!("{}", json()?),
            Some(Some(path)) => write(path, &json()?)?,
            None => {}
        }
        if !matches!(self.json, Some(None)) {
            print!("{findings}");
        }
        self.papers.write(findings)
    }

    /// Where the run is made.
    pub(crate) fn machine(&self, own: &Makings) -> Machine {
        self.papers.machine(Some(&own.skald))
    }
}

impl Papers {
    /// Writes those that are wanted.
    pub(crate) fn write(&self, findings: &Findings) -> Result<()> {
        if let Some(path) = &self.markdown {
            write(path, &markdown::write(&findings.paper()))?;
        }
        if let Some(path) = &self.html {
            write(path, &html::write(&findings.paper()))?;
        }
        Ok(())
    }

    /// Where the run is made.
    pub(crate) fn machine(&self, skald: Option<&Path>) -> Machine {
        Machine::look(skald, self.commit.clone())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

impl Own {
    /// What servers are made of, and the directory that goes with it, if there is one.
    pub(crate) fn makings(&self) -> Result<(Makings, TempDir)> {
        let temporary = tempfile::tempdir()?;
        let skald = self.skald.clone().map_or_else(loadtest::scenario::beside, Ok)?;
        let directory = self.data_dir.clone().unwrap_or_else(|| temporary.path().to_owned());
        let engine = match (&self.postgres, self.engine) {
            (Some(url), _) => Engine::Postgres(url.clone()),
            (None, EngineName::Postgres) => Engine::Private,
            (None, EngineName::Sqlite) => Engine::Sqlite,
        };
        Ok((Makings { skald, directory, engine }, temporary))
    }
}

/// A rate on the command line.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    number(text, 0.01, 1_000_000.0)
}

/// A number within bounds.
pub(crate) fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (least..=most).contains(&number) { Ok(number) } else { Err(format!("must be {least} to {most}")) }
}
