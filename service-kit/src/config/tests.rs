//! Layers, and what is said about a setting that is wrong.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    listen: String,
    label: Option<String>,
    orchestrator: Section,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Section {
    call_timeout_ms: u64,
    name: String,
    sinks: Vec<String>,
    note: Option<String>,
    key: Option<Pair>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    public: String,
    private: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { listen: "127.0.0.1:7070".into(), label: None, orchestrator: Section::default() }
    }
}

impl Default for Section {
    fn default() -> Self {
        Self { call_timeout_ms: 1000, name: "one".into(), sinks: vec!["log".into()], note: None, key: None }
    }
}

fn read(file: &str, env: &[(&str, &str)], flags: &[&str]) -> Result<Settings, Error> {
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    on_disk.write_all(file.as_bytes()).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    load(Some(on_disk.path()), env, &flags)
}

fn complaint(file: &str, env: &[(&str, &str)], flags: &[&str]) -> String {
    read(file, env, flags).unwrap_err().to_string()
}

const TIMEOUT: &str = "SKALD_ORCHESTRATOR__CALL_TIMEOUT_MS";

#[test]
fn without_any_setting_the_defaults_hold() {
    let read: Settings = load(None, std::iter::empty(), &[]).unwrap();
    assert_eq!(read, Settings::default());
}

#[test]
fn the_file_overrides_the_defaults_the_environment_the_file_and_a_flag_all() {
    let file = "listen = '[::1]:1'\n[orchestrator]\ncall_timeout_ms = 2\nsinks = ['a', 'b']\nname = 'file'";
    let env = [(TIMEOUT, "3"), ("SKALD_ORCHESTRATOR__NAME", "env")];
    let read = read(file, &env, &["orchestrator.name=flag"]).unwrap();
    assert_eq!(read.listen, "[::1]:1");
    assert_eq!(read.orchestrator.sinks, ["a", "b"]);
    assert_eq!(read.orchestrator.call_timeout_ms, 3);
    assert_eq!(read.orchestrator.name, "flag");
}

#[test]
fn text_stays_text_and_all_else_is_read_as_toml() {
    let env = [("SKALD_ORCHESTRATOR__NAME", "007"), ("SKALD_LISTEN", "0.0.0.0:1")];
    let flags = ["orchestrator.sinks=[\"x\"]", "orchestrator.note=a b", "label=l=1"];
    let read = read("", &env, &flags).unwrap();
    assert_eq!(read.orchestrator.name, "007");
    assert_eq!(read.listen, "0.0.0.0:1");
    assert_eq!(read.orchestrator.sinks, ["x"]);
    assert_eq!(read.orchestrator.note.as_deref(), Some("a b"));
    assert_eq!(read.label.as_deref(), Some("l=1"));
}

#[test]
fn variables_of_others_are_left_alone() {
    let env = [("SKALD_PORT", "tcp://10.0.0.1:80"), ("SKALD_LOG", "debug"), ("PATH", "x")];
    assert_eq!(read("", &env, &[]).unwrap(), Settings::default());
}

#[test]
fn a_wrong_value_is_named_with_its_key_its_source_and_the_default() {
    let said = complaint("", &[(TIMEOUT, "soon")], &["orchestrator.name=x"]);
    assert!(said.starts_with("orchestrator.call_timeout_ms = \"soon\" (environment variable"), "{said}");
    assert!(said.contains(TIMEOUT), "{said}");
    assert!(said.contains("expected u64"), "{said}");
    assert!(said.ends_with("the default is 1000"), "{said}");
    let said = complaint("[orchestrator]\ncall_timeout_ms = -1", &[], &[]);
    assert!(said.starts_with("orchestrator.call_timeout_ms = -1 (in /"), "{said}");
}

#[test]
fn an_unknown_key_is_answered_with_the_known_ones() {
    for said in [
        complaint("", &[], &["orchestrator.call_timout_ms=5"]),
        complaint("[orchestrator]\ncall_timout_ms = 5", &[], &[]),
        complaint("", &[("SKALD_ORCHESTRATOR__CALL_TIMOUT_MS", "5")], &[]),
    ] {
        assert!(said.starts_with("orchestrator.call_timout_ms = 5 ("), "{said}");
        assert!(said.contains("`call_timeout_ms`, `name`, `sinks`"), "{said}");
    }
    let said = complaint("", &[], &["orchestrater.name=x"]);
    assert!(said.contains("expected one of `listen`, `label`, `orchestrator`"), "{said}");
    assert!(complaint("", &[], &["listen.port=5"]).starts_with("listen.port = 5 ("));
}

#[test]
fn the_first_wrong_setting_is_blamed_not_those_that_only_belong_together() {
    let together = "[orchestrator.key]\npublic = 'a'\nprivate = 'b'";
    assert!(read(together, &[], &[]).unwrap().orchestrator.key.is_some());
    let said = complaint(together, &[(TIMEOUT, "x")], &["nothing=1"]);
    assert!(said.starts_with("orchestrator.call_timeout_ms = \"x\""), "{said}");
    let said = complaint("[orchestrator.key]\npublic = 'a'", &[], &[]);
    assert!(said.contains("missing field `private`"), "{said}");
}

#[test]
fn a_flag_without_a_value_and_a_file_that_is_missing_or_broken_are_explained() {
    assert!(complaint("", &[], &["listen"]).ends_with("write it as section.key=value"));
    assert!(complaint("listen =", &[], &[]).contains("is no TOML"));
    let missing = load::<Settings>(Some(Path::new("/nowhere/skald.toml")), std::iter::empty(), &[]);
    assert!(missing.unwrap_err().to_string().contains("/nowhere/skald.toml cannot be read"));
}

#[test]
fn what_is_printed_reads_back_the_same() {
    let settings = Settings { label: Some("x".into()), ..Settings::default() };
    let printed = print(&settings).unwrap();
    assert_eq!(read(&printed, &[], &[]).unwrap(), settings);
}
