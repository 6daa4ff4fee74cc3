//! The service as gRPC sees it: decode, decide in one transaction, encode. Rooms are served in `api/rooms.rs`, tokens in
//! `api/tokens.rs`, those who follow a room in `api/watch.rs`.

use std::sync::Arc;
use std::time::Duration;

use proto::token::v1::queue_token_service_server::QueueTokenServiceServer;
use proto::token::v1::waiting_room_service_server::WaitingRoomServiceServer;
use service_kit::barrier::Barrier;
use service_kit::host::Host;
use service_kit::idempotency::Idempotency;
use service_kit::pass::VerifyingKeys;
use service_kit::refusal::Fault;
use tonic::service::Routes;
use tonic::{Response, Status};
use uuid::Uuid;

use crate::config::Config;
use crate::line::Line;
use crate::polls::Polls;
use crate::wire::tokens::View;

mod rooms;
mod tokens;
mod watch;

const BARRIER: Barrier = service_kit::barrier!("token", "ticketing.token.v1");
pub(crate) const IDEMPOTENCY: Idempotency = service_kit::idempotency!("token");

/// No request of this service comes near this size.
const LARGEST_MESSAGE: usize = 64 * 1024;
/// How often those who follow a room hear of it, as the contract says.
const WATCH_PERIOD: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
struct Api {
    host: Host,
    config: Config,
    line: Arc<dyn Line>,
    view: View,
    polls: Arc<Polls>,
    keys: VerifyingKeys,
    watchers: watch::Watchers,
}

/// The routes of both services of the package.
pub(crate) fn routes(host: &Host, config: Config, (line, view): (Arc<dyn Line>, View), keys: VerifyingKeys) -> Routes {
    let watchers = watch::Watchers::default();
    let (shown, watched) = (line.clone(), watchers.clone());
    host.every(WATCH_PERIOD, "waiting room progress", move || {
        let (line, watched) = (shown.clone(), watched.clone());
        async move { watched.tell(&*line).await }
    });
    let polls = Arc::new(Polls::new(config.poll_memory, config.poll_burst));
    let api = Api { host: host.clone(), config, line, view, polls, keys, watchers };
    let rooms = WaitingRoomServiceServer::new(api.clone()).max_decoding_message_size(LARGEST_MESSAGE);
    let tokens = QueueTokenServiceServer::new(api).max_decoding_message_size(LARGEST_MESSAGE);
    Routes::new(rooms).add_service(tokens)
}

impl Api {
    fn new_id(&self) -> Uuid {
        self.host.ids.next(self.host.clock.now_ms())
    }
}

fn answer<T>(result: Result<T, Fault>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(status)
}

fn status(fault: impl Into<Fault>) -> Status {
    fault.into().into_status(BARRIER.domain)
}
