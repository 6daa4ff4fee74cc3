//! What mutants do to calls on their way.

use orchestrator::participants::BoxError;
use service_kit::barrier::SAGA_STEP;
use tonic::body::Body;

use crate::books::Message;
use crate::dice::{number, word};
use crate::mutants::Mutant;
use crate::network::{Way, ok};
use crate::world::World;

/// Tries of a compensation that a mutant makes.
const TRIES: u64 = 3;

/// Gives a call the key that a mutant gives it.
pub(crate) fn rename(world: &World, message: Message) -> Message {
    if !world.is(Mutant::KeyPerAttempt) || message.is_compensation() {
        return message;
    }
    let place = [word("attempt"), number(message.saga()), word(&message.method)];
    let attempt = world.count(&place);
    if attempt == 1 { message } else { renamed(message, attempt) }
}

/// Does to an answer what a mutant does.
pub(crate) async fn mend(
    way: &Way,
    message: Message,
    answer: Result<http::Response<Body>, BoxError>,
) -> Result<http::Response<Body>, BoxError> {
    if way.world.is(Mutant::GatewayRetries) && answer.is_err() {
        return way.deliver(renamed(message, 2)).await;
    }
    if way.world.is(Mutant::UndoGivesUp) && message.is_compensation() {
        let has_failed = answer.as_ref().map_or(true, |answer| answer.headers().contains_key("grpc-status"));
        let place = [word("undo"), number(message.saga()), word(&message.method)];
        if has_failed && way.world.count(&place) >= TRIES {
            return Ok(ok(&message.echo()));
        }
    }
    answer
}

fn renamed(mut message: Message, attempt: u64) -> Message {
    let step = message.step();
    if let Ok(key) = format!("{step}~{attempt}").parse() {
        message.metadata.insert(SAGA_STEP, key);
    }
    message
}
