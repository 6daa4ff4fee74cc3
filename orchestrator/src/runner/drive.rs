//! One task for one open saga: the only place where a saga's events meet, so they are decided one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use saga::{Act, Call, Direction, Event, Illegal, Outcome, Phase, StepIndex};
use service_kit::clock::Stopwatch;
use service_kit::crash_point;
use service_kit::db;
use service_kit::serve::MAX_MESSAGE_BYTES;
use tokio::sync::mpsc;
use tonic::Status;

use super::budget::Urgency;
use super::life::Life;
use super::write::Writing;
use super::{Error, Inner, Signal, points};
use crate::journal::{self, Append, Orphans, Record};
use crate::participants::{self, not_sent};
use crate::plans::{self, Definition, Read};

/// First and longest pause between tries to reach the journal.
const JOURNAL_PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// The longest that a drive sleeps without a look at the clock, which may have been put right meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// How a drive begins.
pub(super) enum Start {
    /// The intents of these calls have just been written.
    Sending(Vec<Call>),
    /// Somebody else drove the saga before: whatever was in flight is in doubt. The intervention that it was taken over
    /// for, if any, comes next.
    Adopting(Option<Signal>),
}

/// The saga is not this task's any more.
struct Lost;

/// An attempt that has ended.
struct Answer {
    call: Call,
    result: Result<Bytes, Status>,
    elapsed_ms: i64,
}

pub(super) struct Drive<'a> {
    inner: &'a Inner,
    life: Arc<Life>,
    definition: &'static dyn Definition,
    record: Arc<Record>,
    signals: mpsc::Receiver<Signal>,
    calls: FuturesUnordered<BoxFuture<'a, Answer>>,
    /// What this task has sent.
    sent: BTreeSet<(StepIndex, Direction)>,
}

impl<'a> Drive<'a> {
    pub(super) fn new(
        inner: &'a Inner,
        life: Arc<Life>,
        definition: &'static dyn Definition,
        record: Arc<Record>,
        signals: mpsc::Receiver<Signal>,
    ) -> Self {
        Self { inner, life, definition, record, signals, calls: FuturesUnordered::new(), sent: BTreeSet::new() }
    }

    /// Drives the saga until it has ended, waits for a person only, was lost, or the process stops. Tells whether it has
    /// come to rest.
    pub(super) async fn run(mut self, start: Start) -> bool {
        let begun = match start {
            Start::Sending(calls) => {
                self.send(calls);
                Ok(())
            }
            Start::Adopting(signal) => self.adopt(signal).await,
        };
        if begun.is_err() {
            return false;
        }
        while self.has_work() {
            if self.next().await.is_err() {
                return false;
            }
        }
        true
    }

    async fn adopt(&mut self, signal: Option<Signal>) -> Result<(), Lost> {
        let found = self.record.version;
        self.take(&Event::Adopted).await?;
        let Some(mut signal) = signal else {
            return Ok(());
        };
        // Whoever decided on the saga as it was found did not have to foresee that it would be taken over for that.
        let expected = &mut signal.intervention.expected_version;
        *expected = expected.map(|version| if version == found { self.record.version } else { version });
        self.obey(signal).await
    }

    /// A suspended saga only waits for replies that are still to be recorded.
    fn has_work(&self) -> bool {
        let saga = &self.record.saga;
        saga.is_open() && !(saga.is_suspended() && self.calls.is_empty())
    }

    /// Waits for the next event and takes it.
    async fn next(&mut self) -> Result<(), Lost> {
        let stop = &self.inner.parts.host.stop;
        let wake = self.record.saga.next_wake_ms();
        let pause = wake.map(|wake_ms| until(wake_ms, self.inner.parts.host.clock.now_ms()));
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Lost),
            () = self.life.lost.cancelled() => Err(Lost),
            Some(signal) = self.signals.recv() => self.obey(signal).await,
            Some(answer) = self.calls.next() => {
                let event = self.read(answer);
                self.take(&event).await
            }
            () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => self.take(&Event::Woke).await,
        }
    }

    async fn obey(&mut self, signal: Signal) -> Result<(), Lost> {
        let Signal { intervention, answer } = signal;
        crash_point!("verb.before_write");
        let moved = intervention.expected_version.is_some_and(|version| version != self.record.version);
        let result =
            if moved { Ok(Err(Error::Moved(self.record.version))) } else { self.decide(&intervention.event).await };
        // Whoever asked may have gone; the saga goes on either way.
        match result {
            Ok(Ok(())) => {
                crash_point!("verb.after_write");
                drop(answer.send(Ok(self.record.clone())));
                Ok(())
            }
            // What another process has made of the saga, this one cannot refuse: it is taken over and asked again.
            Ok(Err(_)) if self.was_taken().await => Err(Lost),
            Ok(Err(refused)) => {
                drop(answer.send(Err(refused)));
                Ok(())
            }
            Err(Lost) => Err(Lost),
        }
    }

    /// Whether the journal says that somebody else has taken the saga. A write would find out; a refusal writes nothing.
    async fn was_taken(&mut self) -> bool {
        let stored = self.inner.parts.journal.load(self.record.id).await;
        stored.is_ok_and(|stored| stored.is_none_or(|stored| stored.epoch != self.record.epoch))
    }

    /// Takes an event that nobody waits for. One that means nothing by now changes nothing.
    async fn take(&mut self, event: &Event) -> Result<(), Lost> {
        match self.decide(event).await? {
            Ok(()) => Ok(()),
            Err(Error::Illegal(Illegal::Nothing | Illegal::Stale | Illegal::Ended)) => Ok(()),
            Err(error) => {
                tracing::error!(saga.id = %self.record.id, %error, ?event, "an event does not fit the saga; leaving it to the watch");
                Err(Lost)
            }
        }
    }

    /// Has the event decided and the decision written, then sends what it asks for.
    async fn decide(&mut self, event: &Event) -> Result<Result<(), Error>, Lost> {
        let at = self.inner.moment();
        let decision = match saga::decide(self.definition.plan(), &self.record.saga, event, at) {
            Ok(decision) => decision,
            Err(illegal) => return Ok(Err(Error::Illegal(illegal))),
        };
        let writing = Writing::new(&self.record, self.definition, decision, at, self.inner.ids());
        points::before(self.definition, &self.record.saga, event, &writing);
        self.write(&writing.append).await?;
        points::after(self.definition, &self.record.saga, event, &writing);
        self.record = writing.append.next;
        self.send(writing.calls);
        Ok(Ok(()))
    }

    /// Writes until it is known to be durable. Nothing is sent on a write that is not.
    async fn write(&mut self, append: &Append) -> Result<(), Lost> {
        let mut pause = JOURNAL_PAUSE.0;
        loop {
            let error = match self.inner.parts.journal.append(append.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let id = append.next.id;
            match error {
                journal::Error::Fenced | journal::Error::Store(db::Error::InDoubt(_)) => {
                    match self.find_out(append).await? {
                        Landed::Yes => return Ok(()),
                        Landed::No => {}
                    }
                }
                journal::Error::Store(db::Error::Unavailable(_)) => {
                    tracing::warn!(saga.id = %id, %error, "the journal cannot be written; trying again");
                }
                journal::Error::Corrupt(_) | journal::Error::Store(_) => {
                    tracing::error!(saga.id = %id, %error, "the journal refuses the saga; leaving it to the watch");
                    return Err(Lost);
                }
            }
            self.pause(&mut pause).await?;
        }
    }

    /// Looks whether a write with an unknown outcome has landed.
    async fn find_out(&mut self, append: &Append) -> Result<Landed, Lost> {
        let mut pause = JOURNAL_PAUSE.0;
        let stored = loop {
            match self.inner.parts.journal.load(append.next.id).await {
                Ok(stored) => break stored,
                Err(error @ journal::Error::Corrupt(_)) => {
                    tracing::error!(saga.id = %append.next.id, %error, "the saga's row was spoiled; parking it");
                    self.park().await;
                    return Err(Lost);
                }
                Err(error) => {
                    tracing::warn!(saga.id = %append.next.id, %error, "the journal cannot be read; trying again")
                }
            }
            self.pause(&mut pause).await?;
        };
        match stored {
            Some(stored) if stored.epoch != append.next.epoch => Err(Lost),
            Some(stored) if stored.version == append.next.version => Ok(Landed::Yes),
            Some(stored) if stored.version + 1 == append.next.version => Ok(Landed::No),
            other => {
                let version = other.map(|stored| stored.version);
                tracing::error!(saga.id = %append.next.id, ?version, "the journal holds what nobody can have written; parking the saga");
                self.park().await;
                Err(Lost)
            }
        }
    }

    /// Suspends the saga as it stands in the journal, whoever wrote it.
    async fn park(&mut self) {
        let (journal, id) = (&self.inner.parts.journal, self.record.id);
        let Ok(adopted) = journal.adopt(self.life.incarnation, Orphans::One(id)).await else {
            return;
        };
        for adopted in adopted {
            let journal::Adopted::Saga(record) = adopted else {
                continue;
            };
            let at = self.inner.moment();
            let act = Act { by: "orchestrator".into(), reason: "the journal held an impossible version".into() };
            let decision = saga::decide(self.definition.plan(), &record.saga, &Event::Suspend(act), at);
            let Ok(decision) = decision else { continue };
            let writing = Writing::new(&record, self.definition, decision, at, self.inner.ids());
            if let Err(error) = journal.append(writing.append).await {
                tracing::error!(saga.id = %id, %error, "the saga could not be parked");
            }
        }
    }

    async fn pause(&mut self, pause: &mut Duration) -> Result<(), Lost> {
        let slept = self.inner.parts.host.stop.run_until_cancelled(tokio::time::sleep(*pause)).await;
        *pause = (*pause * 2).min(JOURNAL_PAUSE.1);
        slept.filter(|()| !self.life.lost.is_cancelled()).ok_or(Lost)
    }

    /// Sends calls whose intents are durable, each only if the saga may still be this process's when its turn comes.
    fn send(&mut self, calls: Vec<Call>) {
        for call in calls {
            let step = plans::step(self.definition, call.step);
            let request = self.record.saga.request(call.step, call.direction).map(Bytes::copy_from_slice);
            let (Some(method), Some(request)) = (step.method(call.direction), request) else {
                tracing::error!(saga.id = %self.record.id, step = step.id, "a call without a request; leaving it to its next attempt");
                let result = Err(not_sent("the request cannot be made"));
                self.calls.push(Box::pin(std::future::ready(Answer { call, result, elapsed_ms: 0 })));
                continue;
            };
            let is_first_here = self.sent.insert((call.step, call.direction));
            let urgency = match self.record.saga.phase() {
                Some(Phase::Running) if is_first_here => Urgency::TakenOver,
                Some(Phase::Running) => Urgency::Undecided,
                _ => Urgency::Decided,
            };
            let outgoing = participants::Call {
                method,
                step: step.id,
                epoch: self.record.epoch,
                request,
                timeout: Duration::from_millis(self.inner.parts.limits.call_timeout_ms),
            };
            let (inner, life, definition) = (self.inner, self.life.clone(), self.definition);
            self.calls.push(Box::pin(async move {
                let watch = Stopwatch::start();
                let sending = async {
                    if life.is_over() {
                        return Err(not_sent("this orchestrator has lost its lease"));
                    }
                    crash_point!("rpc.before_send", points::step(definition, call), points::direction(call));
                    let answer = inner.parts.participants.call(outgoing).await;
                    crash_point!("rpc.after_reply", points::step(definition, call), points::direction(call));
                    answer
                };
                let result = inner.gates.pass(step.participant(), (call, urgency), sending).await;
                Answer { call, result, elapsed_ms: watch.elapsed_ms() }
            }));
        }
    }

    /// What an answer means to the saga.
    fn read(&self, answer: Answer) -> Event {
        let Answer { call, result, elapsed_ms } = answer;
        let outcome = match result {
            Err(status) => participants::classify(&status),
            // The journal keeps what it says, and every later write of the saga carries it along.
            Ok(bytes) if bytes.len() > MAX_MESSAGE_BYTES => {
                participants::lie(&format!("the reply has {} bytes", bytes.len()))
            }
            Ok(bytes) => match self.definition.reply(Read::new(&self.record, call, &bytes)) {
                Ok(reply) => Outcome::Done { output: reply.output, skip: reply.skip },
                Err(problem) => participants::lie(&problem),
            },
        };
        Event::Attempted { call, outcome, elapsed_ms: u32::try_from(elapsed_ms).unwrap_or(u32::MAX) }
    }
}

enum Landed {
    Yes,
    No,
}

/// At least a moment, so that no clock that goes back between two looks makes a loop of them.
fn until(wake_ms: i64, now_ms: i64) -> Duration {
    let pause = Duration::from_millis(u64::try_from(wake_ms.saturating_sub(now_ms)).unwrap_or_default());
    pause.clamp(Duration::from_millis(1), LONGEST_SLEEP)
}
