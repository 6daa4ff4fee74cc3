//! What the sale needs of the waiting room, wherever that runs: the keys that its passes are checked with, fetched now and
//! then, and an ear for holds, so that a place in line outlives them, and for the last seat. The waiting room knows nothing
//! of the sale.

use std::time::Duration;

use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use proto::token::v1::{ExtendQueueTokenRequest, GetAdmissionKeysRequest};
use service_kit::host::Host;
use service_kit::pass::VerifyingKeys;
use service_kit::peer::Client;
use service_kit::wire;
use tokio::sync::mpsc;
use tonic::{Response, Status};

use crate::{Config, HoldPlaced};

mod sold_out;

/// How often the keys are fetched.
const REFRESH_PERIOD: Duration = Duration::from_secs(30);
/// How often they are asked for while there are none.
const FIRST_PERIOD: Duration = Duration::from_millis(200);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Holds that may wait until the waiting room hears of them; more are not told, which only shortens a token's life.
const HOLDS: usize = 1024;
/// How much longer than its hold a place in the waiting room lasts, in milliseconds: time to pay.
const TOKEN_MARGIN_MS: i64 = 60_000;

type Tokens = QueueTokenServiceClient<Client>;

/// Follows the waiting room behind `client`, and returns once its keys are here or were not to be had: then no pass can
/// be judged until they are.
pub async fn attend(host: &Host, client: Client) -> (VerifyingKeys, mpsc::Sender<HoldPlaced>) {
    let tokens = QueueTokenServiceClient::new(client);
    let keys = VerifyingKeys::default();
    if let Err(status) = fetch(tokens.clone(), &keys).await {
        tracing::warn!(%status, "the waiting room's keys are not to be had yet; until then no pass can be judged");
    }
    host.tasks.spawn(refresh(host.clone(), tokens.clone(), keys.clone()));
    let (held, holds) = mpsc::channel(HOLDS);
    host.tasks.spawn(tell(host.clone(), tokens, holds));
    (keys, held)
}

/// Tells the waiting rooms behind `client`, from here on, when what they stand before is sold out, and when it is not so any
/// more: best effort, now and then. The tables are up to date.
pub fn tell_of_stock(host: &Host, config: &Config, client: Client) {
    let (db, rooms) = (host.db.clone(), WaitingRoomServiceClient::new(client));
    host.every(Duration::from_millis(config.sold_out_period_ms), "news of what is left", move || {
        let (db, rooms) = (db.clone(), rooms.clone());
        async move { sold_out::tell_of_stock(&db, &rooms).await }
    });
}

async fn refresh(host: Host, tokens: Tokens, keys: VerifyingKeys) {
    let mut period = if keys.are_there() { REFRESH_PERIOD } else { FIRST_PERIOD };
    while host.stop.run_until_cancelled(tokio::time::sleep(period)).await.is_some() {
        match fetch(tokens.clone(), &keys).await {
            Ok(()) => period = REFRESH_PERIOD,
            // The old ones serve on.
            Err(status) => tracing::debug!(%status, "the waiting room's keys were not refreshed"),
        }
    }
}

async fn fetch(mut tokens: Tokens, keys: &VerifyingKeys) -> Result<(), Status> {
    let fetched = answered(tokens.get_admission_keys(GetAdmissionKeysRequest {})).await?;
    keys.replace(&fetched.jwks).map_err(|error| Status::internal(format!("these are no keys: {error}")))
}

/// Passes placed holds on to the waiting room.
async fn tell(host: Host, mut tokens: Tokens, mut holds: mpsc::Receiver<HoldPlaced>) {
    while let Some(Some(hold)) = host.stop.run_until_cancelled(holds.recv()).await {
        let min_expire_time = Some(wire::timestamp(hold.hold_expire_ms.saturating_add(TOKEN_MARGIN_MS)));
        let request = ExtendQueueTokenRequest { name: hold.queue_token, min_expire_time };
        if let Err(status) = answered(tokens.extend_queue_token(request)).await {
            tracing::debug!(%status, "a queue token was not extended; it may lapse before its hold");
        }
    }
}

async fn answered<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Status> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer.map(Response::into_inner),
        Err(_) => Err(Status::deadline_exceeded("the waiting room does not answer")),
    }
}
