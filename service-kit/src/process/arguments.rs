//! The command line of every process, and the settings that follow from it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Error, SECTIONS, Settings};
use crate::config::{self, EXIT_USAGE};

/// Said below the help.
pub(super) const SOURCES: &str = "Settings come from defaults, then --config, then variables such as\n\
    SKALD_SERVER__LISTEN (two underscores for each dot), then these flags.";

/// What every process can be told.
#[derive(Debug, Clone, Default, Args)]
pub struct Arguments {
    /// A TOML file with settings; sections of other processes are passed over.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [server.listen].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Directory of the SQLite database [server.data_dir].
    #[arg(long, value_name = "DIRECTORY")]
    pub data_dir: Option<String>,
    /// PostgreSQL instead of SQLite [database.url]; a password had better be in the file or in SKALD_DATABASE__URL,
    /// which other users cannot see.
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// One setting, as key=value; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the settings that would be used, as TOML, and end.
    #[arg(long)]
    pub print_config: bool,
}

impl Arguments {
    /// The settings; none when they were to be printed, and now are.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn settings<S: Settings>(&self) -> Result<Option<S>, Error> {
        let settings = self.load::<S>()?;
        if self.print_config {
            print!("{}", config::print(&settings)?);
            return Ok(None);
        }
        Ok(Some(settings))
    }

    fn load<S: Settings>(&self) -> Result<S, config::Error> {
        let flag = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key}={value}"));
        let mut overrides = self.set.clone();
        overrides.extend(flag("server.listen", &self.listen));
        overrides.extend(flag("server.data_dir", &self.data_dir));
        overrides.extend(flag("database.url", &self.postgres));
        let settings: S = config::load_shared(&SECTIONS, self.config.as_deref(), config::environment(), &overrides)?;
        let (server, database) = settings.own();
        server.check()?;
        database.check()?;
        Ok(settings)
    }
}

/// Prints what clap has to say, and tells what to exit with; also when help was asked for, which is no failure.
pub fn exit_code(problem: &clap::Error) -> ExitCode {
    let said = problem.print();
    ExitCode::from(if problem.use_stderr() || said.is_err() { EXIT_USAGE } else { 0 })
}
