//! What a process tells about itself: log lines on standard error, which leaves standard output to results. Traces and
//! metrics would join as further layers of the one subscriber that is built here.

use std::fmt;
use std::io::IsTerminal as _;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is logged unless somebody asks for more: our own steps, and the warnings of everybody else.
pub const DEFAULT_FILTER: &str = "warn,skald=info,events=info,orchestrator=info,service_kit=info,customer_svc=info,\
     concert_svc=info,payment_svc=info,token_svc=info";

/// Where a filter is looked for, the strongest first.
const FILTERS: [&str; 2] = ["SKALD_LOG", "RUST_LOG"];

/// How a log line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one object a line.
    Json,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Error(format!("the log format {text:?} is unknown; it is text or json"))),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Why logging could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Starts logging for the whole process, panics included; to be called once, first thing. `SKALD_LOG` or `RUST_LOG`
/// override `filter`, and that [`DEFAULT_FILTER`].
///
/// # Errors
/// When the filter cannot be read, or logging has been started before.
pub fn init(format: Format, filter: Option<&str>) -> Result<(), Error> {
    let set = FILTERS.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
    let filter = set.chain(filter.map(|text| ("server.log", text.to_owned()))).find(|(_, text)| !text.is_empty());
    let (source, text) = filter.unwrap_or_else(|| ("the default", DEFAULT_FILTER.to_owned()));
    start(format, read(source, &text)?)
}

fn read(source: &str, text: &str) -> Result<EnvFilter, Error> {
    EnvFilter::try_new(text).map_err(|error| {
        Error(format!("the log filter {text:?} ({source}) cannot be read: {error}; an example is warn,skald=debug"))
    })
}

fn start(format: Format, filter: EnvFilter) -> Result<(), Error> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        Format::Text => lines.finish().try_init(),
        Format::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    started.map_err(|error| Error(error.to_string()))?;
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(%panic, %backtrace, "a panic");
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logging_starts_once_and_the_default_filter_can_be_read() {
        let filter = || read("the default", DEFAULT_FILTER).unwrap();
        assert_eq!(start(Format::Json, filter()), Ok(()));
        assert!(start(Format::Text, filter()).is_err());
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_shown() {
        let error = read("SKALD_LOG", "skald=loud").unwrap_err();
        assert!(error.to_string().contains("\"skald=loud\" (SKALD_LOG)"), "{error}");
    }

    #[test]
    fn formats_go_to_text_and_back() {
        for format in [Format::Text, Format::Json] {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert!("xml".parse::<Format>().is_err());
    }
}
