//! The participants: for each step the barrier's row and a book of its effects. The rules are the barrier's, in short; that
//! the shipped barrier follows them is tested for every row and every message.

use saga::{Kind, Step};

use crate::case::Case;
use crate::events::{Answer, Leg};
use crate::mutant::Mutant;
use crate::state::State;

/// What a barrier's row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Row {
    /// There is none.
    Empty,
    /// The effect is there.
    Applied,
    /// A kept no.
    Refused,
    /// The effect was taken back.
    Compensated,
    /// It never came, and never will.
    Tombstone,
    /// Somebody outside is asked.
    InProgress,
}

impl Row {
    /// Every row.
    pub const ALL: [Row; 6] =
        [Row::Empty, Row::Applied, Row::Refused, Row::Compensated, Row::Tombstone, Row::InProgress];
}

/// One step's row, and how often its effect was done and undone. Bits: row 3, done 2, undone 2, barred 1, keys 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Book(u16);

impl Book {
    pub(crate) fn row(self) -> Row {
        Row::ALL[usize::from(self.0 & 7)]
    }

    pub(crate) fn done(self) -> u16 {
        self.0 >> 3 & 3
    }

    pub(crate) fn undone(self) -> u16 {
        self.0 >> 5 & 3
    }

    /// Somebody was told that nothing is left of the step.
    pub(crate) fn is_barred(self) -> bool {
        self.0 >> 7 & 1 == 1
    }

    fn knows(self, key: u16) -> bool {
        self.0 >> (8 + key) & 1 == 1
    }

    pub(crate) fn set_row(&mut self, row: Row) {
        self.0 = self.0 & !7 | row as u16;
    }

    pub(crate) fn note_done(&mut self) {
        self.0 = self.0 & !(3 << 3) | (self.done() + 1).min(3) << 3;
    }

    pub(crate) fn note_undone(&mut self) {
        self.0 = self.0 & !(3 << 5) | (self.undone() + 1).min(3) << 5;
    }

    pub(crate) fn bar(&mut self) {
        self.0 |= 1 << 7;
    }

    fn note_key(&mut self, key: u16) {
        self.0 |= 1 << (8 + key);
    }

    /// With this row and no effects.
    pub(crate) fn at(row: Row) -> Book {
        Book(row as u16)
    }
}

/// What a row alone makes of the step's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    /// It is the first: the work is done, or asked for, or refused.
    Work,
    /// The row answers: the kept reply.
    Reply,
    /// The row answers: a refusal.
    Refuse,
    /// The row answers: ask again.
    Pending,
}

/// What a row alone makes of a compensation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backward {
    /// The effect is taken back, unless that is refused.
    TakeBack,
    /// The step is barred; there is nothing to take back.
    Bar,
    /// There is nothing to take back any more.
    Nothing,
    /// An order to take it back is left with the one who is asked.
    Order,
}

impl Row {
    /// The barrier's rule for a step.
    pub(crate) fn forward(self) -> Forward {
        match self {
            Row::Empty => Forward::Work,
            Row::Applied => Forward::Reply,
            Row::Refused | Row::Compensated | Row::Tombstone => Forward::Refuse,
            Row::InProgress => Forward::Pending,
        }
    }

    /// The barrier's rule for its compensation.
    pub(crate) fn backward(self) -> Backward {
        match self {
            Row::Empty | Row::Refused => Backward::Bar,
            Row::Applied => Backward::TakeBack,
            Row::Compensated | Row::Tombstone => Backward::Nothing,
            Row::InProgress => Backward::Order,
        }
    }
}

/// The participants of a case, perhaps with a mutant among their rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Participants {
    pub(crate) case: &'static Case,
    pub(crate) mutant: Option<Mutant>,
}

impl Participants {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn line(&self, step: usize) -> &'static Step {
        &self.case.plan.steps()[step]
    }

    /// Whether the answer to this request is the business's to give.
    pub(crate) fn is_asked(&self, state: &State, leg: Leg) -> bool {
        leg.is_forward() && state.books[leg.step()].row() == Row::Empty
    }

    /// Serves one request. `is_willing` is the business's answer, if it comes to that.
    pub(crate) fn serve(&self, state: &mut State, leg: Leg, key: u16, is_willing: bool) -> Answer {
        if leg.is_forward() {
            self.forward(state, leg.step(), key, is_willing)
        } else {
            self.compensate(state, leg.step())
        }
    }

    fn forward(&self, state: &mut State, step: usize, key: u16, is_willing: bool) -> Answer {
        let book = state.books[step];
        match book.row().forward() {
            Forward::Reply if self.is(Mutant::ActionTwice) => self.apply(state, step, key),
            Forward::Reply if self.is(Mutant::NoStoredResult) => Answer::Refused,
            Forward::Reply if self.is(Mutant::KeyPerAttempt) && !book.knows(key) => self.apply(state, step, key),
            Forward::Reply if self.is(Mutant::GatewayKey) && key != 0 && !book.knows(key) => {
                self.apply(state, step, key)
            }
            Forward::Reply => Answer::Done,
            Forward::Refuse => Answer::Refused,
            Forward::Pending => Answer::Pending,
            Forward::Work if !is_willing || !self.can(state, step) => self.refuse(state, step),
            Forward::Work => match self.case.card {
                Some(card) if card.authorize == step => crate::card::authorize(state, step),
                Some(card) if card.capture == step => {
                    crate::card::capture(state, step).unwrap_or_else(|| self.refuse(state, step))
                }
                Some(_) | None => self.apply(state, step, key),
            },
        }
    }

    fn apply(&self, state: &mut State, step: usize, key: u16) -> Answer {
        let book = &mut state.books[step];
        book.set_row(Row::Applied);
        book.note_done();
        if self.is(Mutant::KeyPerAttempt) || self.is(Mutant::GatewayKey) {
            book.note_key(key);
        }
        Answer::Done
    }

    /// Only what may come late as well is kept: a retriable step is asked again until it succeeds.
    fn refuse(&self, state: &mut State, step: usize) -> Answer {
        let line = self.line(step);
        if line.kind != Kind::Retriable && line.keeps_refusals {
            state.books[step].set_row(Row::Refused);
        }
        Answer::Refused
    }

    /// Whether what the step builds on still stands.
    fn can(&self, state: &State, step: usize) -> bool {
        let stands = |needed: usize| state.books[needed].row() == Row::Applied;
        let has_ground = self.case.needs.iter().all(|(one, needed)| *one != step || stands(*needed));
        has_ground && !(self.case.hold == Some(step) && state.is_expired)
    }

    fn compensate(&self, state: &mut State, step: usize) -> Answer {
        let is_card = self.case.card.is_some_and(|card| card.authorize == step);
        let answer = match state.books[step].row().backward() {
            Backward::TakeBack | Backward::Order if is_card => crate::card::cancel(state, step),
            Backward::TakeBack if self.has_lost(state, step) => Answer::PivotStands,
            Backward::TakeBack | Backward::Order => {
                state.books[step].set_row(Row::Compensated);
                state.books[step].note_undone();
                Answer::Done
            }
            Backward::Bar => {
                if !self.is(Mutant::NoTombstone) {
                    state.books[step].set_row(Row::Tombstone);
                }
                Answer::Done
            }
            Backward::Nothing => {
                if self.is(Mutant::CompensationTwice) && state.books[step].row() == Row::Compensated {
                    state.books[step].note_undone();
                }
                Answer::Done
            }
        };
        if answer == Answer::Done {
            state.books[step].bar();
        }
        answer
    }

    /// The pivot was there first, on the row that both compete for.
    fn has_lost(&self, state: &State, step: usize) -> bool {
        let pivot = self.case.pivot().filter(|_| self.case.arbiter() == Some(step));
        pivot.is_some_and(|pivot| state.books[pivot].row() == Row::Applied)
    }
}
