//! The stand-ins as processes of their own, one subcommand each.

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(version, about = "Stand-ins for the world outside of Skald: for demos and tests, never for real money.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A card processor.
    Processor(outside::processor::Arguments),
    /// A provider of messages to phones.
    Messenger(outside::messenger::Arguments),
    /// A data platform.
    Platform(outside::platform::Arguments),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    service_kit::telemetry::init(service_kit::telemetry::Format::default(), None)?;
    match Arguments::parse().command {
        Command::Processor(arguments) => outside::processor::run(arguments).await,
        Command::Messenger(arguments) => outside::messenger::run(arguments).await,
        Command::Platform(arguments) => outside::platform::run(arguments).await,
    }
}
