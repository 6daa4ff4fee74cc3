//! A card processor that knows each payment by its merchant's id.

use std::net::SocketAddr;

/// What the processor is started with.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:7081")]
    pub listen: SocketAddr,
    /// Where it sends its webhooks to; nowhere when this is not given.
    #[arg(long, value_name = "URL")]
    pub webhooks: Option<String>,
}

/// Runs the processor until it is asked to end.
///
/// # Errors
/// When it cannot listen.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    println!("processor: http://{}", listener.local_addr()?);
    service_kit::serve::shutdown_signal()?.await;
    Ok(())
}
