//! Two servers side by side: of one the consumers are well, of the other the provider of messages takes six seconds for an
//! answer and fails every tenth, and the data platform is down. The load goes to the one and the other in turns.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::rounds::Rounds;
use super::{Found, Stand};
use crate::aftermath::deliveries;
use crate::client::Client;
use crate::findings::{Expected, Part};
use crate::process::Process;
use crate::system::Shape;

/// The consumers of a server.
struct Consumers {
    messenger: Process,
    platform: Process,
}

pub(super) async fn run(stand: &Stand) -> Result<Found> {
    let (well, ill) = (Consumers::start(stand)?, Consumers::start(stand)?);
    ill.fall_ill().await?;
    let first = stand.makings.start("well", Shape::One, &well.settings()).await?;
    let second = stand.makings.start("ill", Shape::One, &ill.settings()).await?;
    let clients = (Client::connect(&first.target()).await?, Client::connect(&second.target()).await?);
    let mut rounds = Rounds::new(stand);
    for _ in 0..rounds.each() {
        rounds.alone(&clients.0).await?;
        rounds.beside(&clients.1).await?;
    }
    // What waited arrives once they are well.
    ill.recover().await?;
    let delivered = deliveries(&clients.1).await?;
    let waiting = |told: &&String| told.ends_with("PENDING") || told.ends_with("RETRYING");
    let left = delivered.keys().filter(waiting).count();
    let mut found = Found::default();
    for system in [first, second] {
        let (store, _) = system.end()?;
        found.verdicts.push(store.verify(false, None).await?);
    }
    found.expected.push(Expected::new("kinds of messages still under way: 0", left, left == 0));
    found.parts.push(Part::Comparison { comparison: rounds.compare(), counts: delivered.into_iter().collect() });
    Ok(found)
}

impl Consumers {
    fn start(stand: &Stand) -> Result<Self> {
        let start = |what| Process::start(&stand.makings.skald, ["outside", what, "--listen", "127.0.0.1:0"]);
        Ok(Self { messenger: start("messenger")?, platform: start("platform")? })
    }

    fn settings(&self) -> Vec<String> {
        let Self { messenger, platform } = self;
        vec![
            format!("payment.messenger.url={}", messenger.address),
            format!("payment.platform.url={}", platform.address),
        ]
    }

    async fn fall_ill(&self) -> Result<()> {
        let slow = json!({ "answer_ms": 6_000, "error_percent": 10, "lost_percent": 0, "down": false });
        let down = json!({ "answer_ms": 0, "error_percent": 0, "lost_percent": 0, "down": true });
        self.behave(&slow, 10, &down).await
    }

    async fn recover(&self) -> Result<()> {
        let well = json!({ "answer_ms": 0, "error_percent": 0, "lost_percent": 0, "down": false });
        self.behave(&well, 0, &well).await
    }

    async fn behave(&self, messenger: &Value, failures: u8, platform: &Value) -> Result<()> {
        let provider = json!({ "mood": messenger, "settle_ms": 0, "failure_percent": failures, "per_second": 0 });
        put(&format!("{}/behaviour", self.messenger.address), &provider).await?;
        put(&format!("{}/behaviour", self.platform.address), &json!({ "mood": platform, "refused_type": "" })).await
    }
}

async fn put(uri: &str, body: &Value) -> Result<()> {
    let request = http::Request::put(uri).header(http::header::CONTENT_TYPE, "application/json");
    let request = request.body(Full::new(Bytes::from(body.to_string())))?;
    let answer = Http::builder(TokioExecutor::new()).build_http().request(request).await;
    let status = answer.with_context(|| format!("cannot reach {uri}"))?.status();
    ensure!(status.is_success(), "{uri} answers {status}");
    Ok(())
}
