//! The stand-ins as processes of their own, one subcommand each.

use clap::Parser;

#[derive(Debug, Parser)]
#[command(version, about = "Stand-ins for the world outside of Skald: for demos and tests, never for real money.")]
struct Arguments {
    #[command(subcommand)]
    command: outside::Command,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    service_kit::telemetry::init(service_kit::telemetry::Format::default(), None)?;
    Arguments::parse().command.run().await
}
