//! Scenarios of the load harness, as small as they get: what they find out is whole, and nothing is broken.

use std::path::{Path, PathBuf};

use loadtest::findings::{Findings, Part};
use loadtest::paper::{html, markdown};
use loadtest::scenario::{Stand, find};
use loadtest::system::{Engine, Makings};
use loadtest::{Machine, Progress};

async fn run(name: &str, directory: &Path, naive: bool) -> Findings {
    let skald = PathBuf::from(env!("CARGO_BIN_EXE_skald"));
    let makings = Makings { skald, directory: directory.to_owned(), engine: Engine::Sqlite };
    let (progress, next, floors) = (Progress::Hidden, None, false);
    let stand = Stand { makings, scale: 0.001, rate: 60.0, seed: 7, progress, naive, next, floors };
    find(name).unwrap().run(&stand, Machine::look(None, None)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_who_want_the_same_seats_get_each_once_and_it_is_written_down() {
    let directory = tempfile::tempdir().unwrap();
    let findings = run("hot-seats", directory.path(), false).await;
    assert!(findings.is_clean(), "{findings}");
    let Some(Part::Crush(crush)) = findings.parts.first() else { panic!("{findings}") };
    assert!(crush.winners > 0 && crush.told["SEAT_TAKEN"].count > 0, "{findings}");
    let page = html::write(&findings.paper());
    assert!(page.contains("Hot seats") && !page.contains("<script") && !page.contains("src="), "{page}");
    assert!(markdown::write(&findings.paper()).contains("| winners |"));
    let json = serde_json::to_value(&findings).unwrap();
    assert_eq!(json["parts"][0]["crush"]["held_twice"], 0);
    assert_eq!(json["verdicts"][0]["clean"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malicious_network_breaks_nothing_of_ours_and_the_naive_order_leaves_things_behind() {
    let directory = tempfile::tempdir().unwrap();
    let findings = run("network-malice", directory.path(), true).await;
    assert!(findings.verdicts.iter().all(|verdict| verdict.clean && verdict.checkouts > 0), "{findings}");
    let orders = findings.parts.iter().find_map(|part| match part {
        Part::Orders(orders) => Some(orders),
        Part::Knee(_)
        | Part::Load { .. }
        | Part::Drills(_)
        | Part::Falls(_)
        | Part::Samples(_)
        | Part::Crush(_)
        | Part::Room(_)
        | Part::Comparison { .. } => None,
    });
    let orders = orders.unwrap();
    assert!(orders.is_clean(), "{findings}");
    assert!(orders.undone.payments > 0, "{findings}");
    let naive = &orders.naive;
    assert!(naive.paid_without_seat + naive.locked + naive.points_lost.unsigned_abs() > 0, "{findings}");
}
