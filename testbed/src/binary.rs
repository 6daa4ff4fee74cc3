//! What holds for the binary of every service: its settings, and what it says about wrong ones.

use std::process::{Command, Output};

/// Runs the binary in an environment without any setting.
fn run(binary: &str, arguments: &[&str]) -> Output {
    Command::new(binary).env_clear().args(arguments).output().expect("the binary runs")
}

/// Checks that it listens on `port` unless told otherwise, and has a section of its own among its settings.
///
/// # Panics
/// When it does not.
pub fn has_port_and_section(binary: &str, port: u16, section: &str) {
    let output = run(binary, &["--print-config"]);
    let settings = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{settings}");
    for line in [format!("listen = \"127.0.0.1:{port}\""), "[database]".to_owned(), format!("[{section}]")] {
        assert!(settings.lines().any(|found| found == line), "{line}: {settings}");
    }
}

/// Checks that a wrong setting ends it with the exit code for that, and is named.
///
/// # Panics
/// When it is not.
pub fn tells_a_wrong_setting(binary: &str) {
    let output = run(binary, &["--set", "server.limits.calls=0"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("server.limits.calls = 0"), "{said}");
}
