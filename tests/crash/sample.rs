//! A sample of the crash matrix on both engines. The whole of it: `cargo run -p skald-tests --bin crash-matrix`.

use std::process::Command;

#[test]
fn a_sample_of_deaths_is_survived_on_both_engines() {
    let mut matrix = Command::new(env!("CARGO_BIN_EXE_crash-matrix"));
    let status = matrix.args(["--budget", "60"]).status().expect("the matrix starts");
    assert!(status.success(), "see the line above that does it again");
}
