//! The shipped decisions, each made once: sagas that will do the same have one number, and what an event makes of a number
//! is looked up from the second time on.

use saga::{Command, Direction, Illegal, Moment, Phase, Saga, StepStatus, decide, start};

use crate::case::Case;
use crate::events::{DEADLINE_MS, Event, Leg};
use crate::forget;
use crate::hash::Map;

/// The number of a saga.
pub(crate) type SagaId = u32;

/// What a decision comes to: the next saga and the calls to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) next: SagaId,
    pub(crate) sends: u16,
}

/// What the world looks at in a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    /// None once it has ended.
    pub(crate) phase: Option<Phase>,
    pub(crate) is_suspended: bool,
    pub(crate) has_completed: bool,
    pub(crate) in_flight: u16,
    pub(crate) backing_off: u16,
    /// Steps that are not needed.
    pub(crate) skipped: u16,
}

impl View {
    pub(crate) fn of(saga: &Saga) -> View {
        let mut view = View {
            name: saga.state().name(),
            phase: saga.phase(),
            is_suspended: saga.is_suspended(),
            has_completed: *saga.state() == saga::State::Completed,
            in_flight: 0,
            backing_off: 0,
            skipped: 0,
        };
        for (index, step) in saga.steps().iter().enumerate() {
            view.skipped |= u16::from(step.status == StepStatus::Skipped) << index;
            for direction in [Direction::Forward, Direction::Compensation] {
                let (leg, bit) = (step.leg(direction), Leg::new(index, direction).bit());
                view.in_flight |= if leg.in_flight { bit } else { 0 };
                view.backing_off |= if leg.next_ms.is_some() { bit } else { 0 };
            }
        }
        view
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.phase.is_none()
    }
}

/// All sagas that were met so far, and all moves between them.
#[derive(Debug)]
pub(crate) struct Machine {
    case: &'static Case,
    sagas: Vec<(Saga, View)>,
    ids: Map<String, SagaId>,
    moves: Map<(SagaId, Event), Result<u32, Illegal>>,
    made: Vec<Move>,
}

impl Machine {
    /// With the first move made: the saga is accepted.
    pub(crate) fn new(case: &'static Case) -> (Machine, Move) {
        let mut machine =
            Machine { case, sagas: Vec::new(), ids: Map::default(), moves: Map::default(), made: Vec::new() };
        let at = Moment { now_ms: 0, jitter: 0 };
        let decision = start(case.plan, DEADLINE_MS, &[], at).expect("a sound plan can be started");
        let first = machine.note(decision);
        (machine, first)
    }

    pub(crate) fn view(&self, id: SagaId) -> &View {
        &self.sagas[id as usize].1
    }

    /// How often the leg was tried.
    pub(crate) fn attempts(&self, id: SagaId, leg: Leg) -> u32 {
        self.sagas[id as usize].0.steps()[leg.step()].leg(leg.direction()).attempts
    }

    /// How many sagas were met, and how many decisions were made.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.sagas.len(), self.moves.len())
    }

    /// The number of the move that the event makes.
    pub(crate) fn decide(&mut self, id: SagaId, event: Event) -> Result<u32, Illegal> {
        if let Some(known) = self.moves.get(&(id, event)) {
            return *known;
        }
        let saga = match event {
            Event::Woke(leg) => forget::due(&self.sagas[id as usize].0, leg),
            Event::Answered { .. }
            | Event::Deadline
            | Event::Adopted { .. }
            | Event::Cancel
            | Event::Abort
            | Event::Suspend
            | Event::Resume
            | Event::Retry
            | Event::Resolve { .. } => self.sagas[id as usize].0.clone(),
        };
        let shipped = event.shipped(self.case.plan, &saga, self.case.first_skips);
        let made = decide(self.case.plan, &saga, &shipped, event.at()).map(|decision| {
            let made = self.note(decision);
            self.made.push(made);
            (self.made.len() - 1) as u32
        });
        self.moves.insert((id, event), made);
        made
    }

    pub(crate) fn made(&self, number: u32) -> Move {
        self.made[number as usize]
    }

    fn note(&mut self, decision: saga::Decision) -> Move {
        let sends = decision.commands.iter().fold(0, |sends, command| match command {
            Command::Send(call) => sends | Leg::new(call.step.0, call.direction).bit(),
            Command::Announce(_) => sends,
        });
        let row = forget::row(&decision.saga);
        let next = match self.ids.get(&row) {
            Some(id) => *id,
            None => {
                let saga = forget::saga(&row);
                let id = self.sagas.len() as SagaId;
                self.sagas.push((saga.clone(), View::of(&saga)));
                self.ids.insert(row, id);
                id
            }
        };
        Move { next, sends }
    }
}
