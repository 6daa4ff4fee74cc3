//! One message to one step, by the row that it finds: what a real barrier can be compared with.

use crate::barrier::{Book, Participants, Row};
use crate::card::{Card, Errand, Payment};
use crate::case::Case;
use crate::events::{Answer, Leg};
use crate::state::State;

/// A message, and what the participant's business says to it if it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letter {
    /// Do it; it can be done.
    Do,
    /// Do it; it cannot be done.
    DoInVain,
    /// Do it, as a step that may not be refused; it cannot be done now.
    DoAfterDecision,
    /// Take it back.
    Compensate,
    /// Take it back; the pivot was there first.
    CompensateTooLate,
}

impl Letter {
    /// Every message.
    pub const ALL: [Letter; 5] =
        [Letter::Do, Letter::DoInVain, Letter::DoAfterDecision, Letter::Compensate, Letter::CompensateTooLate];
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Became {
    /// Its row from now on.
    pub row: Row,
    /// `done`, `refused` or `pending`.
    pub answer: &'static str,
    /// How often its effect was done now.
    pub done: u16,
    /// How often it was taken back now.
    pub undone: u16,
}

/// What the model's barrier makes of a message.
pub fn deliver(row: Row, letter: Letter) -> Became {
    let name = if row == Row::InProgress { "point-charge" } else { "cancellation" };
    let case = Case::named(name).expect("a plan of the model");
    let step = if letter == Letter::DoAfterDecision { case.plan.steps().len() - 2 } else { 0 };
    let mut state = State::new(0);
    state.books[step] = Book::at(row);
    if row == Row::InProgress {
        state.card = Card { payment: Payment::Pending, errand: Some(Errand::Authorize), ..Card::default() };
    }
    if let Some(pivot) = case.pivot().filter(|_| letter == Letter::CompensateTooLate) {
        state.books[pivot] = Book::at(Row::Applied);
    }
    let participants = Participants { case, mutant: None };
    let is_back = matches!(letter, Letter::Compensate | Letter::CompensateTooLate);
    let leg = Leg((step as u8) << 1 | u8::from(is_back));
    let answer = participants.serve(&mut state, leg, 0, letter == Letter::Do);
    let book = state.books[step];
    let answer = if answer == Answer::PivotStands { Answer::Refused } else { answer };
    Became { row: book.row(), answer: answer.text(), done: book.done(), undone: book.undone() }
}
