//! One participant does not answer for ten minutes.

use std::time::Duration;

use orchestrator::runner::{Error, Limits};

use super::house::{House, Mood, is_free};

const OUTAGE: Duration = Duration::from_secs(600);
/// One that pays and one that does not, each.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends orders for ten minutes while the payments are as told, and tells how many free ones completed meanwhile, and the
/// most tasks that there were at a time.
async fn sell(payments: Mood, limits: Limits) -> (House, usize, usize, u128) {
    let house = House::new(limits).await;
    house.script.set("payment", payments);
    let (mut tasks, mut shed) = (0, 0);
    let began = tokio::time::Instant::now();
    let mut id = 0;
    while began.elapsed() < OUTAGE {
        for _ in 0..2 {
            match house.accept(id).await {
                Ok(_) => {}
                Err(Error::Overloaded) => shed += 1,
                Err(error) => panic!("{error}"),
            }
            id += 1;
        }
        tasks = tasks.max(house.host.tasks.count());
        tokio::time::sleep(PAUSE).await;
    }
    let free = house.states(is_free).await.get("completed").copied().unwrap_or_default();
    (house, free, tasks, shed)
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_need_the_participant_that_hangs_loses_nothing() {
    let limits = Limits::default();
    let (_, well, _, _) = sell(Mood::Takes(Duration::from_millis(20)), limits).await;
    let (house, hanging, tasks, shed) = sell(Mood::Hangs, limits).await;
    assert!(well >= 1_150, "{well}");
    assert!(hanging * 100 >= well * 90, "{hanging} instead of {well}");
    assert_eq!(shed, 0);
    // A task for each saga under way, and a few for the runner itself.
    assert!(tasks <= 1_200 + 20, "{tasks} tasks");
    let (_, most) = house.script.seen(|seen| seen.under_way["payment"]);
    assert!(most <= limits.calls, "{most} calls at once");
    // A saga keeps what it learns of each try within bounds, however often it tries.
    let stuck = house.record(0).await;
    assert_eq!(stuck.saga.state().name(), "compensating");
    let size = serde_json::to_string(&stuck.saga).unwrap().len();
    assert!(size < 8_192, "a saga that waits has grown to {size} bytes");
    // What it does while it waits gets rarer, so nobody's work grows with the outage.
    let before = house.script.count("CancelPayment");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let a_minute = house.script.count("CancelPayment") - before;
    assert!(a_minute <= 1_200 * 8, "{a_minute} tries a minute");
    // And it is over when the outage is.
    house.script.set("payment", Mood::Takes(Duration::from_millis(20)));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let ends = house.states(|_| true).await;
    assert!(ends.keys().all(|state| ["completed", "compensated"].contains(state)), "{ends:?}");
    assert_eq!(house.runner.driven(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_piles_up_behind_the_participant_that_hangs_is_bounded_and_told() {
    let limits = Limits { sagas: 100, ..Limits::default() };
    let (house, _, tasks, shed) = sell(Mood::Hangs, limits).await;
    assert!(shed > 0, "nothing was ever turned away");
    assert!(house.runner.driven() <= 100);
    assert!(tasks <= 100 + 20, "{tasks} tasks");
    let stored: usize = house.states(|_| true).await.values().sum();
    assert_eq!(stored + usize::try_from(shed).unwrap(), 2_400, "what is turned away leaves nothing behind");
}
