//! Stand-ins for the world outside, for the demo and the tests: a card processor, a provider of messages, a data platform.
//! They behave as such services do, badly too: slow, refusing, down, losing replies, saying things twice and late.
//!
//! Nothing in production depends on this crate.

pub mod listen;
pub mod messenger;
pub mod mood;
pub mod platform;
pub mod processor;

/// One of them, as a process of its own.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// A card processor.
    Processor(processor::Arguments),
    /// A provider of messages to phones.
    Messenger(messenger::Arguments),
    /// A data platform.
    Platform(platform::Arguments),
}

impl Command {
    /// Runs it until it is asked to end. Its first line says where it listens.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Processor(arguments) => processor::run(arguments).await,
            Self::Messenger(arguments) => messenger::run(arguments).await,
            Self::Platform(arguments) => platform::run(arguments).await,
        }
    }
}
