//! Rules about the code itself, run instead of written.

use std::fs;
use std::path::{Path, PathBuf};

/// Most lines of a production file.
const MOST_LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file below the crates, with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![root()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

fn is_test(path: &Path) -> bool {
    let path = path.strip_prefix(root()).unwrap();
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "benches" | "examples")))
}

#[test]
fn production_files_are_small() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| !is_test(path) && text.lines().count() > MOST_LINES)
        .map(|(path, text)| format!("{} has {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_file_opens_with_what_it_is() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn the_core_of_the_engine_is_pure() {
    let impure =
        ["async ", "SystemTime", "Instant", "tokio", "rand", "tracing", "println", "std::fs", "std::net", "HashMap"];
    for (path, text) in sources() {
        let relative = path.strip_prefix(root()).unwrap().to_owned();
        if !relative.starts_with("saga/src") {
            continue;
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let found = impure.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{} has {found:?}: {line}", relative.display());
        }
    }
}

#[test]
fn a_service_names_no_table_of_another() {
    let services = ["customer", "concert", "payment", "token", "orchestrator"];
    for (path, text) in sources() {
        let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let owner = services.iter().find(|service| {
            relative.starts_with(&format!("{service}-svc/")) || relative.starts_with(&format!("{service}/"))
        });
        let Some(owner) = owner else { continue };
        for other in services.iter().filter(|other| other != &owner) {
            for keyword in ["from", "into", "update", "join"] {
                let statement = format!("{keyword} {other}_");
                assert!(!text.contains(&statement), "{relative} says \"{statement}…\"");
            }
        }
    }
}
