//! Packets that vanish: first on a connection of our own, then under a whole system.
//!
//! Without the test harness, which knows no test that finds out by itself that it cannot be run: one that was not run must
//! not count as passed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chaos::network::{Carrier, Network};
use chaos::schedule::Kind;
use chaos::who::{Cast, Who};
use chaos::{Settings, binary, run};
use testbed::link::{Link, Way};

const NAMES: [&str; 2] =
    ["what_vanishes_arrives_nowhere_and_nobody_is_told", "whatever_is_lost_on_the_way_every_checkout_ends"];
const PAIR: (Who, Who) = (Who::Skald, Who::Processor);
/// Longer than a packet takes, however busy the machine is; what is sent meanwhile has been lost once at least.
const SILENCE: Duration = Duration::from_secs(1);
const SEED: u64 = 3;
const LENGTH: Duration = Duration::from_secs(45);

fn main() -> ExitCode {
    if let Err(error) = Network::lay(Cast::One) {
        println!("test {} ... ignored, NOT RUN: no network namespaces here: {error:#}", NAMES.join(", "));
        println!("\ntest result: ok. 0 passed; 0 failed; {} ignored", NAMES.len());
        return ExitCode::SUCCESS;
    }
    let tried = [packets(), system()];
    for (name, tried) in NAMES.iter().zip(&tried) {
        match tried {
            Ok(()) => println!("test {name} ... ok"),
            Err(error) => println!("test {name} ... FAILED: {error:#}"),
        }
    }
    let failed = tried.iter().filter(|tried| tried.is_err()).count();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {} passed; {failed} failed; 0 ignored", NAMES.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

fn packets() -> Result<()> {
    let network = Network::lay(Cast::One)?;
    let home = |who| network.home(who).with_context(|| format!("{who} has no home"));
    let (caller, called) = (home(PAIR.0)?, home(PAIR.1)?);
    let server = called.host.inside(|| TcpListener::bind((called.address, 0)))??;
    let link = Link::between(network.ends(PAIR)?, &server.local_addr()?.to_string())?;
    std::thread::spawn(move || {
        server.incoming().flatten().for_each(|client| drop(std::thread::spawn(|| echo(client))))
    });
    let connect = || caller.host.inside(|| TcpStream::connect(link.address()));
    let mut line = connect()??;
    line.set_nodelay(true)?;
    says(&mut line, "before")?;
    for ways in [&[Way::There][..], &[Way::Back], &[Way::There, Way::Back]] {
        let before = network.vanished(PAIR)?;
        let vanishing = network.hold(PAIR, ways)?;
        is_silent(&mut line, &format!("{ways:?}"))?;
        ensure!(network.vanished(PAIR)? > before, "nothing vanished {ways:?}");
        network.end(vanishing)?;
        // It was not told that anything went wrong, and what it sent is sent again.
        hears(&mut line, &format!("{ways:?}"))?;
        says(&mut line, "again")?;
    }
    let vanishing = network.forget(PAIR, &link.clients())?;
    is_silent(&mut line, "forgotten")?;
    says(&mut connect()??, "another one")?;
    network.end(vanishing)?;
    hears(&mut line, "forgotten")
}

fn echo(mut client: TcpStream) {
    let mut buffer = [0; 64];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        if client.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

fn says(line: &mut TcpStream, text: &str) -> Result<()> {
    line.write_all(text.as_bytes())?;
    hears(line, text)
}

fn hears(line: &mut TcpStream, text: &str) -> Result<()> {
    line.set_read_timeout(Some(SILENCE * 60))?;
    let mut heard = vec![0; text.len()];
    line.read_exact(&mut heard).with_context(|| format!("{text:?} is not heard"))?;
    ensure!(heard == text.as_bytes(), "{text:?} is heard as {:?}", String::from_utf8_lossy(&heard));
    Ok(())
}

fn is_silent(line: &mut TcpStream, text: &str) -> Result<()> {
    line.write_all(text.as_bytes())?;
    line.set_read_timeout(Some(SILENCE))?;
    ensure!(line.read(&mut [0; 64]).is_err(), "{text:?} is heard or refused");
    Ok(())
}

fn system() -> Result<()> {
    let settings = Settings {
        length: LENGTH,
        seed: SEED,
        cast: Cast::Apart,
        kinds: vec![Kind::Partition, Kind::OneWay, Kind::Forgotten, Kind::KillParticipant],
        skald: binary::find()?,
        carrier: Carrier::Namespaces,
        next: binary::next(),
        is_loud: true,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(run(&settings))?;
    println!("{report}");
    let again = "cargo run -p chaos -- --network namespaces --faults partition,one-way,forgotten,kill-participant";
    ensure!(report.is_clean(), "again: {again} --seed {SEED} --seconds {}", LENGTH.as_secs());
    Ok(())
}
