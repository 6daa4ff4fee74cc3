//! Texts that people write: settings, and filters of lists with the names in them.

use service_kit::{config, filter, ids};
use skald::settings::Settings;

/// Lines of `SKALD_…=value` are the environment, others flags. Whatever is taken is the same after it was printed and read.
pub(super) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (env, flags): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with("SKALD_"));
    let env =
        env.iter().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned()));
    let flags: Vec<String> = flags.into_iter().map(str::to_owned).collect();
    let Ok(settings) = config::load::<Settings>(None, env, &flags) else { return };
    let printed = config::print(&settings).unwrap();
    let again: Settings = toml_of(&printed);
    assert_eq!(config::print(&again).unwrap(), printed);
}

/// The way through a file, as a process reads one.
fn toml_of(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("skald.toml");
    std::fs::write(&file, text).unwrap();
    config::load(Some(&file), std::iter::empty(), &[]).unwrap_or_else(|error| panic!("{error}: {text}"))
}

pub(super) fn config_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "SKALD_ORCHESTRATOR__LIMITS__CALLS=7\nserver.port=7070",
        "orchestrator.undecided_ms=1000\npayment.processor=http://127.0.0.1:7081",
        "events.sinks=[\"log\"]\nSKALD_EVENTS__WEBHOOK__URL=http://h:1/x",
        "database.url=postgres://u:p@h/d\nshards=[{ first_bucket = 0, last_bucket = 1023, url = \"postgres://h/d\" }]",
        "token.line.url=redis://h:6379\nconcert.hold_ms=600000\nserver.limits.calls=1",
        "SKALD_SERVER__PORT='8'\nnonsense\na.b.c=1\n=\nserver=1",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

pub(super) fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    const FIELDS: [&str; 3] = ["state", "customer", "create_time"];
    let _all = filter::values(text, FIELDS);
    if let Ok(conditions) = filter::conditions(text, &FIELDS) {
        assert!(conditions.iter().all(|(field, _)| FIELDS.contains(field)), "{conditions:?}");
    }
    // Equal ids are equal texts.
    if let Ok(id) = ids::uuid("id", text) {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(id) = ids::name("name", text, "customers") {
        assert_eq!(format!("customers/{id}"), text);
    }
    if let Ok(segments) = ids::segments("name", text, ["concerts", "performances"]) {
        assert_eq!(format!("concerts/{}/performances/{}", segments[0], segments[1]), text);
    }
}

pub(super) fn filter_seeds() -> Vec<Vec<u8>> {
    let texts = [
        "state = ACTIVE AND customer = \"customers/01990000-0000-7000-8000-000000000001\"",
        "create_time >= \"2026-11-30T00:00:00Z\" AND create_time < \"2026-12-01T00:00:00Z\"",
        "01990000-0000-7000-8000-000000000001",
        "customers/01990000-0000-7000-8000-000000000001",
        "concerts/01990000-0000-7000-8000-000000000001/performances/01990000-0000-7000-8000-000000000002",
        "state = \"",
        "AND AND (",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}
