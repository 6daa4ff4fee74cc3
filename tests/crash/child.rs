//! The process that dies: `skald up` with the points at which it can be made to, and with scripted faults between the
//! orchestrator and the services. It is told what to do on its standard input, a line each, and answers each with `ok`.
//! It ends when nobody is there to tell it anything any more.

use std::io::BufRead as _;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use orchestrator::archive::Archive;
use orchestrator::journal::{LEASE, SqlJournal};
use orchestrator::participants::{Participant, Participants};
use orchestrator::plans::Plans;
use service_kit::clock::{Clock as _, SystemClock};
use service_kit::process::{self, Arguments};
use service_kit::{crash, serve, telemetry};
use skald::settings::Settings;
use skald::up;
use skald::verify::Books;
use skald_tests::{Fault, Faults};
use tokio::runtime::Handle;

/// What a life exits with when its test has gone.
const FORSAKEN: i32 = 3;
/// When what has ended by now is archived.
const MONTHS_MS: i64 = 60 * 86_400_000;

/// Runs until it is asked to end, or dies.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Some(settings) = arguments.settings::<Settings>()? else { return Ok(()) };
    telemetry::init(settings.server.log_format, Some("error"))?;
    process::runtime(&settings.server)?.block_on(live(settings))
}

async fn live(settings: Settings) -> Result<()> {
    let stopped = serve::shutdown_signal()?;
    let faults = Faults::default();
    let participants: Arc<Mutex<Vec<(&'static str, Participant)>>> = Arc::default();
    let wrap = {
        let (participants, faults) = (participants.clone(), faults.clone());
        move |name, participant: Participant| {
            let all = &mut *participants.lock().unwrap_or_else(PoisonError::into_inner);
            all.push((name, participant.clone()));
            faults.wrap(participant)
        }
    };
    let running = up::start(settings, Box::new(wrap)).await?;
    let participants = std::mem::take(&mut *participants.lock().unwrap_or_else(PoisonError::into_inner));
    let archive = archive(&running.books(), participants)?;
    let obeys = Obeys { faults, archive, runtime: Handle::current() };
    std::thread::Builder::new().name("orders".into()).spawn(move || obeys.all())?;
    println!("listening: http://{}", running.address);
    tokio::select! {
        () = stopped => {}
        () = running.fails() => bail!("the database is out of service"),
    }
    running.shut_down().await
}

/// The archive of this process, which does by itself only in a month what a test wants to see.
fn archive(books: &Books, participants: Vec<(&'static str, Participant)>) -> Result<Archive> {
    let db = books.orchestrator.first().context("sagas lie somewhere")?.clone();
    let journal = Arc::new(SqlJournal::new(db, LEASE));
    let (plans, participants) = (Plans::default(), Arc::new(Participants::new(participants)));
    Ok(Archive::new(journal, &plans, &participants, &orchestrator::Config::default()))
}

/// Whoever takes orders.
struct Obeys {
    faults: Faults,
    archive: Archive,
    runtime: Handle,
}

impl Obeys {
    fn all(&self) {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match self.one(&line) {
                Ok(()) => println!("ok"),
                Err(error) => println!("no: {error:#}"),
            }
        }
        std::process::exit(FORSAKEN);
    }

    fn one(&self, line: &str) -> Result<()> {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["arm", spec] => crash::arm(spec),
            ["heal"] => self.faults.heal(),
            ["fault", method, fault] => self.faults.always(leak(method), named(fault)?),
            ["archive"] => self.runtime.block_on(self.archive.round(SystemClock.now_ms() + MONTHS_MS))?,
            _ => bail!("nobody knows the order {line:?}"),
        }
        Ok(())
    }
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
