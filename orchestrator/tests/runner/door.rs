//! Who is let in.

use futures_util::FutureExt as _;
use orchestrator::journal::Accepted;
use orchestrator::runner::{Error, Limits};

use crate::stage::{Stage, seconds};

#[tokio::test(start_paused = true)]
async fn a_place_is_taken_from_the_request_on_and_free_after_the_end() {
    let stage = Stage::alone(Limits { sagas: 1, ..Limits::default() }).await;
    assert!(!stage.runner.is_full());
    stage.hang("ReservePoints");
    let mut accepting = Box::pin(stage.accept(1));
    assert!(accepting.as_mut().now_or_never().is_none(), "it waits for the journal");
    assert!(stage.runner.is_full() && stage.runner.driven() == 0, "its place is taken although nothing is driven yet");
    assert_eq!(accepting.await.unwrap(), Accepted::New);
    assert!(matches!(stage.accept(2).await, Err(Error::Overloaded)));
    stage.heal("ReservePoints");
    seconds(5).await;
    for id in 3..6 {
        assert!(!stage.runner.is_full(), "all have ended");
        assert_eq!(stage.accept(id).await.unwrap(), Accepted::New);
        seconds(1).await;
    }
    assert_eq!(stage.state(5).await, "completed");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_about_to_end_lets_nobody_in_and_finishes_what_it_has() {
    let stage = Stage::alone(Limits::default()).await;
    stage.hang("ReservePoints");
    stage.accept(1).await.unwrap();
    stage.runner.accept_no_more();
    assert!(matches!(stage.accept(2).await, Err(Error::Stopping)));
    stage.heal("ReservePoints");
    seconds(10).await;
    assert_eq!(stage.state(1).await, "completed");
    let told = format!("{:?}", stage.runner);
    assert!(told.contains("Runner") && told.contains("driven: 0"), "{told}");
}
