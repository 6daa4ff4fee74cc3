//! The process that dies: `skald up` with the points at which it can be made to, and with scripted faults between the
//! orchestrator and the services. It is told what to do on its standard input, a line each, and answers each with `ok`.
//! It ends when nobody is there to tell it anything any more.

use std::io::BufRead as _;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use orchestrator::participants::Participant;
use service_kit::process::{self, Arguments};
use service_kit::{crash, serve, telemetry};
use skald::settings::Settings;
use skald::up;
use skald_tests::{Fault, Faults};

/// What a life exits with when its test has gone.
const FORSAKEN: i32 = 3;

/// Runs until it is asked to end, or dies.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Some(settings) = arguments.settings::<Settings>()? else { return Ok(()) };
    telemetry::init(settings.server.log_format, Some("error"))?;
    process::runtime(&settings.server)?.block_on(live(settings))
}

async fn live(settings: Settings) -> Result<()> {
    let stopped = serve::shutdown_signal()?;
    let faults = Faults::default();
    let orders = faults.clone();
    std::thread::Builder::new().name("orders".into()).spawn(move || obey(&orders))?;
    let participants: Arc<Mutex<Vec<(&'static str, Participant)>>> = Arc::default();
    let wrap = {
        let participants = participants.clone();
        move |name, participant: Participant| {
            let all = &mut *participants.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((name, participant.clone()));
            faults.wrap(participant)
        }
    };
    let running = up::start(settings, Box::new(wrap)).await?;
    println!("listening: http://{}", running.address);
    tokio::select! {
        () = stopped => {}
        () = running.fails() => bail!("the database is out of service"),
    }
    running.shut_down().await
}

fn obey(faults: &Faults) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match order(faults, &line) {
            Ok(()) => println!("ok"),
            Err(error) => println!("no: {error:#}"),
        }
    }
    std::process::exit(FORSAKEN);
}

fn order(faults: &Faults, line: &str) -> Result<()> {
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["arm", spec] => crash::arm(spec),
        ["heal"] => faults.heal(),
        ["fault", method, fault] => faults.always(leak(method), named(fault)?),
        _ => bail!("nobody knows the order {line:?}"),
    }
    Ok(())
}

/// Orders are few, and the process is short-lived.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn named(fault: &str) -> Result<Fault> {
    let known = match fault {
        "refuse" => Some(Fault::Refuse("SCRIPTED")),
        "hang" => Some(Fault::Hang),
        "lose-request" => Some(Fault::LoseRequest),
        "lose-reply" => Some(Fault::LoseReply),
        "garbage" => Some(Fault::Garbage),
        _ => None,
    };
    known.with_context(|| format!("nobody knows the fault {fault:?}"))
}
