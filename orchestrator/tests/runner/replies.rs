//! How large an answer may be: the journal keeps what it says, and carries it along.

use orchestrator::runner::Limits;
use service_kit::serve::MAX_MESSAGE_BYTES;

use crate::stage::{Stage, seconds};

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_larger_than_any_message_parks_the_saga() {
    for (bytes, state) in [(MAX_MESSAGE_BYTES, "completed"), (MAX_MESSAGE_BYTES + 1, "suspended")] {
        let stage = Stage::alone(Limits::default()).await;
        stage.bloat("ReservePoints", bytes);
        stage.accept(1).await.unwrap();
        seconds(10).await;
        assert_eq!(stage.state(1).await, state, "{bytes} bytes");
    }
}
