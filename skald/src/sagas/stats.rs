//! `skald saga stats`: how many sagas are open, what they hold, and what keeps them.

use anyhow::Result;
use clap::Args;
use proto::orchestrator::v1::GetSagaStatisticsRequest;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use service_kit::wire;
use tonic::transport::Channel;

use crate::client::explain;
use crate::view::operations as view;

/// Which sagas to count.
#[derive(Debug, Args)]
pub struct Stats {
    /// Only those that were accepted in the last so many minutes.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(i64).range(1..=525_600))]
    minutes: Option<i64>,
}

pub(super) async fn run(mut client: SagaServiceClient<Channel>, stats: Stats, as_json: bool) -> Result<()> {
    let request = GetSagaStatisticsRequest { window: stats.minutes.map(|minutes| wire::duration(minutes * 60_000)) };
    let statistics = client.get_saga_statistics(request).await.map_err(|status| explain(&status))?.into_inner();
    if as_json {
        println!("{:#}", view::statistics_json(&statistics));
    } else {
        println!("{}", view::statistics_text(&statistics));
    }
    Ok(())
}
