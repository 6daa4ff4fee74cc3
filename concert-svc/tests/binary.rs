//! The binary of this service: its settings, and what it says about wrong ones.

const BINARY: &str = env!("CARGO_BIN_EXE_concert-svc");

#[test]
fn it_has_a_port_and_a_section_of_its_own() {
    testbed::binary::has_port_and_section(BINARY, 7072, "concert");
}

#[test]
fn a_wrong_setting_is_told_and_ends_it() {
    testbed::binary::tells_a_wrong_setting(BINARY);
}
