//! One run over real processes: everything fails that can without another machine, and no promise is broken.

use std::time::Duration;

use chaos::network::Carrier;
use chaos::schedule::Kind;
use chaos::who::Cast;
use chaos::{Settings, binary, run};

const SEED: u64 = 7;
const LENGTH: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_every_checkout_ends_and_the_books_are_in_order() {
    let settings = Settings {
        length: LENGTH,
        seed: SEED,
        cast: Cast::Apart,
        kinds: Kind::usual(Cast::Apart),
        skald: binary::find().expect("the binary is there"),
        carrier: Carrier::Loopback,
        next: binary::next(),
        is_loud: true,
    };
    let report = run(&settings).await.expect("the run comes to its end");
    println!("{report}");
    let again = format!("cargo run -p chaos -- --seed {SEED} --seconds {}", LENGTH.as_secs());
    assert!(report.is_clean(), "{report}\nagain: {again}");
}
