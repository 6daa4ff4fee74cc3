//! The example configuration: it names every setting with its default and says what it is for, and every process takes it.

use std::path::{Path, PathBuf};

use toml::Table;

use crate::process::{run, stderr, stdout};

const PROCESSES: [&str; 6] = ["up", "orchestrator", "customer", "concert", "payment", "token"];

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/skald.example.toml")
}

fn settings(arguments: &[&str]) -> Table {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output).parse().expect("settings are printed as TOML")
}

/// The names of all settings, with their values.
fn flat(table: &Table, above: &str) -> Vec<(String, String)> {
    let each = |(key, value): (&String, &toml::Value)| match value.as_table() {
        Some(table) => flat(table, &format!("{above}{key}.")),
        None => vec![(format!("{above}{key}"), value.to_string())],
    };
    table.iter().flat_map(each).collect()
}

/// Settings are commented out without a space behind the #, comments have one.
fn is_setting(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
}

#[test]
fn the_example_names_every_setting_with_its_default_and_a_comment() {
    let text = std::fs::read_to_string(example()).unwrap();
    let active: Vec<_> =
        text.lines().map(|line| if is_setting(line) { line.trim_start_matches('#') } else { line }).collect();
    let named = flat(&active.join("\n").parse().expect("it is TOML"), "");
    let mut all = settings(&["orchestrator", "--print-config"]);
    all.extend(settings(&["up", "--print-config"]));
    assert!(all.contains_key("peers") && all.contains_key("customer"));
    let defaults = flat(&all, "");
    let without = |some: &[(String, String)], others: &[(String, String)]| {
        some.iter().filter(|setting| !others.contains(setting)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(without(&defaults, &named), [], "settings that the example does not name, or with another default");
    assert_eq!(without(&named, &defaults), [], "settings that nobody has, or with another default");

    let lines: Vec<_> = text.lines().collect();
    let told = lines.windows(2).filter(|pair| pair[0].starts_with("# ") && is_setting(pair[1])).count();
    assert_eq!(told, named.len(), "a setting stands below what it is for");
}

#[test]
fn one_file_serves_every_process() {
    for process in PROCESSES {
        let with = settings(&[process, "--print-config", "--config", example().to_str().unwrap()]);
        assert_eq!(with, settings(&[process, "--print-config"]), "{process}");
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("skald.toml");
    std::fs::write(&file, "[customer]\nbalance_limit = 7\n[peers]\ntoken = [\"http://a:1\", \"http://b:2\"]\n")
        .unwrap();
    let with = |process| settings(&[process, "--print-config", "--config", file.to_str().unwrap()]);
    for process in PROCESSES {
        let with = flat(&with(process), "");
        let has = |key: &str, value: &str| with.contains(&(key.to_owned(), value.to_owned()));
        assert_eq!(has("customer.balance_limit", "7"), matches!(process, "up" | "customer"), "{process}");
        let calls_token = matches!(process, "orchestrator" | "concert" | "payment");
        assert_eq!(has("peers.token", "\"http://a:1,http://b:2\""), calls_token, "{process}");
    }
}

/// The commands in a file, after the sign that stands before each; those that are commented out, too.
fn commands(file: &str, sign: &str) -> Vec<Vec<String>> {
    let path = example().with_file_name("deploy").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.starts_with("# "));
    let commands = lines.filter_map(|line| Some(line.split_once(sign)?.1.split_whitespace()));
    commands.map(|words| words.map(str::to_owned).collect()).collect()
}

#[test]
fn the_process_files_run_what_there_is() {
    let mut all = commands("Procfile", ": skald ");
    assert_eq!(all.len(), PROCESSES.len() - 1 + 3);
    for (file, instance) in [("skald@.service", "token"), ("skald-orchestrator@.service", "7080")] {
        let of_unit = commands(file, "ExecStart=/usr/local/bin/skald ");
        assert_eq!(of_unit.len(), 1, "{file}");
        let config = example().display().to_string();
        let filled = |word: &String| word.replace("%i", instance).replace("/etc/skald/skald.toml", &config);
        all.push(of_unit[0].iter().map(filled).collect());
    }
    for command in all {
        let mut words: Vec<_> = command.iter().map(String::as_str).collect();
        words.push("--print-config");
        settings(&words);
    }
}
