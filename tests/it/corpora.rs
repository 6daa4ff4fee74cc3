//! The inputs that fuzzing starts from, and those that it once found something with, still do no harm; nor do spoilt ones.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use skald_tests::fuzz::{TARGETS, Target};

/// Spoilt inputs of each target. Those that take long get fewer.
const SPOILT: usize = 400;

fn folder(target: Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target.name)
}

/// All inputs of a target, by their files' names.
fn inputs(target: Target) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = fs::read_dir(folder(target)).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn replay(name: &str) {
    let target = skald_tests::fuzz::target(name);
    let inputs = inputs(target);
    assert!(inputs.len() >= 3, "there is no corpus of {name}");
    inputs.iter().for_each(|input| (target.run)(input));
    let mut random = Rng::with_seed(seed());
    for _ in 0..spoilt(name) {
        let mut input = inputs[random.usize(..inputs.len())].clone();
        for _ in 0..random.usize(1..4) {
            spoil(&mut input, &mut random);
        }
        (target.run)(&input);
    }
}

/// How many spoilt inputs: `SKALD_SPOILT=100000 cargo test -p skald-tests --test it corpora::request` tries more.
fn spoilt(name: &str) -> usize {
    let usual = if matches!(name, "request" | "config" | "console") { SPOILT / 4 } else { SPOILT };
    std::env::var("SKALD_SPOILT").map_or(usual, |wanted| wanted.parse().expect("SKALD_SPOILT is a number"))
}

/// Which ones: `SKALD_SEED=7` gives others.
fn seed() -> u64 {
    std::env::var("SKALD_SEED").map_or(1, |wanted| wanted.parse().expect("SKALD_SEED is a number"))
}

fn spoil(input: &mut Vec<u8>, random: &mut Rng) {
    let at = random.usize(..=input.len());
    match random.u8(..5) {
        0 => input.truncate(at),
        1 => input.insert(at, random.u8(..)),
        2 => input.extend_from_within(at..),
        3 if at < input.len() => drop(input.remove(at)),
        _ if at < input.len() => input[at] ^= 1 << random.u8(..8),
        _ => {}
    }
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test] fn $name() { replay(stringify!($name)); })*

        #[test]
        fn every_target_is_replayed() {
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($name)),*]);
        }
    };
}

replays!(request machine journal_row reply status config filter pass keys console event_json webhook history);

/// `cargo test -p skald-tests --test it corpora::write -- --ignored`, after a target or the contracts have changed.
#[test]
#[ignore = "writes into the sources"]
fn write() {
    for target in TARGETS {
        fs::create_dir_all(folder(target)).unwrap();
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder(target).join(format!("seed-{number:03}")), seed).unwrap();
        }
    }
}
