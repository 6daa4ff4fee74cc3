//! The binary of this service: its settings, and what it says about wrong ones.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_payment-svc"));
    command.env_clear().args(arguments).output().expect("the binary runs")
}

#[test]
fn it_has_a_port_and_a_section_of_its_own() {
    let output = run(&["--print-config"]);
    let settings = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{settings}");
    for line in ["listen = \"127.0.0.1:7073\"", "[database]", "[payment]"] {
        assert!(settings.lines().any(|found| found == line), "{line}: {settings}");
    }
}

#[test]
fn a_wrong_setting_is_told_and_ends_it() {
    let output = run(&["--set", "server.limits.calls=0"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("server.limits.calls = 0"), "{said}");
}
