//! The works whose cost is counted.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use orchestrator::exposure::Exposure;
use orchestrator::journal::{Append, Journal, Record, SqlJournal};
use orchestrator::plans::Plans;
use saga::{Call, Command, Decision, Event, Moment, Outcome, Plan, Saga};
use service_kit::barrier::{Barrier, Operation, Refusals};
use service_kit::clock::ManualClock;
use service_kit::db::{Db, Tx};
use uuid::Uuid;

static BARRIER: Barrier = service_kit::barrier!("payment", "ticketing.payment.v1");

/// What is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// A whole checkout is decided, from its start to its end.
    Decide,
    /// A saga at its end is written as text and read again.
    Codec,
    /// A step goes through a participant's barrier for the first time.
    Barrier,
    /// A whole checkout is written to the journal, move by move.
    Journal,
}

impl Work {
    pub(crate) const ALL: [Self; 4] = [Self::Decide, Self::Codec, Self::Barrier, Self::Journal];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Codec => "codec",
            Self::Barrier => "barrier",
            Self::Journal => "journal",
        }
    }

    /// Does it so many times.
    pub(crate) fn run(self, times: u32) -> Result<()> {
        let plans = Plans::default();
        let plan = plans.find("checkout", 1).context("there are checkouts")?.plan();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        match self {
            Self::Decide => (0..times).try_for_each(|_| checkout(black_box(plan)).map(drop)),
            Self::Codec => codec(plan, times),
            Self::Barrier => runtime.block_on(barrier(times)),
            Self::Journal => runtime.block_on(journal(plan, times)),
        }
    }
}

/// Every decision of a checkout that completes.
fn checkout(plan: &Plan) -> Result<Vec<Decision>> {
    let mut all = vec![saga::start(plan, 30_000, &[], moment(1)).map_err(illegal)?];
    let mut calls = sent(&all[0]);
    while let Some(call) = calls.pop() {
        let outcome = Outcome::Done { output: vec![7; 40], skip: Vec::new() };
        let event = Event::Attempted { call, outcome, elapsed_ms: 2 };
        let last = all.last().context("a saga has begun")?;
        let decision = saga::decide(plan, &last.saga, &event, moment(all.len())).map_err(illegal)?;
        calls.extend(sent(&decision));
        all.push(decision);
    }
    Ok(all)
}

fn sent(decision: &Decision) -> Vec<Call> {
    let send = |command: &Command| match command {
        Command::Send(call) => Some(*call),
        Command::Announce(_) => None,
    };
    decision.commands.iter().filter_map(send).collect()
}

fn codec(plan: &Plan, times: u32) -> Result<()> {
    let saga = checkout(plan)?.pop().context("it has ended")?.saga;
    for _ in 0..times {
        let text = serde_json::to_string(black_box(&saga))?;
        black_box(serde_json::from_str::<Saga>(&text)?);
    }
    Ok(())
}

async fn barrier(times: u32) -> Result<()> {
    let db = Db::open_inline(None, Arc::new(ManualClock::at(1)))?;
    db.migrate("payment", migrations::payment::MIGRATIONS).await?;
    for number in 0..times {
        let mut op = Operation::known(Uuid::from_u128(1), Uuid::from_u128(number.into()), "authorize-payment");
        op.request_hash = vec![1; 32];
        let work = async |_: &mut Tx<'_>| Ok("done".to_owned());
        BARRIER.forward(&db, op, Refusals::Kept, work).await.map_err(|status| anyhow!("{status}"))?;
    }
    Ok(())
}

async fn journal(plan: &Plan, times: u32) -> Result<()> {
    let db = Db::open_inline(None, Arc::new(ManualClock::at(1)))?;
    db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await?;
    let journal = SqlJournal::new(db, Duration::from_secs(6));
    journal.register(Uuid::from_u128(1)).await?;
    let decisions = checkout(plan)?;
    for number in 0..times {
        for (version, decision) in (1..).zip(&decisions) {
            let append = append(plan, number, version, decision);
            if version == 1 {
                journal.accept(append).await?;
            } else {
                journal.append(append).await?;
            }
        }
    }
    Ok(())
}

fn append(plan: &Plan, number: u32, version: i64, decision: &Decision) -> Append {
    let record = Record {
        id: Uuid::from_u128((u128::from(number) + 1) << 16),
        kind: plan.kind.to_owned(),
        plan_version: plan.version,
        subject: "customers/01a22ecc-6aea-7000-9966-1b00ce9e3180".into(),
        reference: "reservations/01a22ecc-6aea-7000-9966-1b00ce9e3180".into(),
        request_hash: vec![1; 32],
        input: vec![7; 280],
        saga: decision.saga.clone(),
        version,
        epoch: 1,
        owner: Uuid::from_u128(1),
        create_time: 1,
        update_time: version,
    };
    let (facts, exposure) = (decision.facts.clone(), Exposure::default());
    Append { next: Arc::new(record), facts, events: Vec::new(), exposure }
}

fn moment(now: impl TryInto<i64>) -> Moment {
    Moment { now_ms: now.try_into().unwrap_or(i64::MAX), jitter: 0 }
}

fn illegal(illegal: saga::Illegal) -> anyhow::Error {
    anyhow!("a checkout that goes well is legal: {illegal:?}")
}
