//! A payment by card: what the payment service has written down, and what the processor has done. Both know the payment by
//! the saga's id, and the processor's answers are last words.

use crate::barrier::Row;
use crate::case::CardSteps;
use crate::events::Answer;
use crate::state::State;

/// What the service knows of the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Payment {
    #[default]
    Absent,
    Pending,
    Authorized,
    Captured,
    GivenUp,
}

/// What the processor is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Errand {
    Authorize,
    Capture,
    Void,
}

/// What the processor has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Truth {
    #[default]
    Nothing,
    Held,
    Declined,
    Taken,
    Released,
}

/// One payment on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Card {
    pub(crate) payment: Payment,
    pub(crate) errand: Option<Errand>,
    pub(crate) truth: Truth,
    /// Of an errand that was replaced meanwhile: its request may still arrive.
    pub(crate) late: Option<Errand>,
}

/// The service's part of the step: the processor is to hold the money.
pub(crate) fn authorize(state: &mut State, step: usize) -> Answer {
    (state.card.payment, state.card.errand) = (Payment::Pending, Some(Errand::Authorize));
    state.books[step].set_row(Row::InProgress);
    Answer::Pending
}

/// The processor is to take it. None when there is nothing to take, or something else is about to become of it.
pub(crate) fn capture(state: &mut State, step: usize) -> Option<Answer> {
    if state.card.payment != Payment::Authorized || state.card.errand.is_some() {
        return None;
    }
    state.card.errand = Some(Errand::Capture);
    state.books[step].set_row(Row::InProgress);
    Some(Answer::Pending)
}

/// The processor is to hold nothing, now and ever; which of this and a capture comes first there, decides.
pub(crate) fn cancel(state: &mut State, step: usize) -> Answer {
    match state.card.payment {
        Payment::Captured => Answer::PivotStands,
        Payment::GivenUp | Payment::Absent => {
            state.books[step].set_row(Row::Compensated);
            Answer::Done
        }
        Payment::Pending | Payment::Authorized => {
            state.card.void();
            state.books[step].set_row(Row::InProgress);
            Answer::Pending
        }
    }
}

impl Card {
    fn void(&mut self) {
        if self.errand != Some(Errand::Void) {
            self.late = self.errand;
            self.errand = Some(Errand::Void);
        }
    }

    /// Whether the processor has an answer to what it was asked.
    pub(crate) fn is_answered(&self) -> bool {
        match (self.errand, self.truth) {
            (None, _) | (_, Truth::Nothing) => false,
            (Some(Errand::Authorize), _) => true,
            (Some(Errand::Capture | Errand::Void), truth) => truth != Truth::Held,
        }
    }
}

/// A request arrives at the processor. Once it has said a last word, nothing changes any more.
pub(crate) fn arrive(state: &mut State, steps: CardSteps, errand: Errand, is_willing: bool) {
    if state.card.late == Some(errand) && state.card.errand != Some(errand) {
        state.card.late = None;
    }
    state.card.truth = match (errand, state.card.truth) {
        (Errand::Authorize, Truth::Nothing) if !is_willing => Truth::Declined,
        (Errand::Authorize, Truth::Nothing) => {
            state.books[steps.authorize].note_done();
            Truth::Held
        }
        (Errand::Capture, Truth::Held) => {
            state.books[steps.capture].note_done();
            Truth::Taken
        }
        (Errand::Void, Truth::Held) => {
            state.books[steps.authorize].note_undone();
            Truth::Released
        }
        (Errand::Void, Truth::Nothing) => Truth::Released,
        (_, truth) => truth,
    };
}

/// The service writes down what the processor has answered. A capture that is declined is voided before that is told,
/// where it decides; after a decision it is asked for again.
pub(crate) fn settle(state: &mut State, steps: CardSteps, decides: bool) {
    let Some(errand) = state.card.errand.take() else { return };
    match (errand, state.card.truth) {
        (Errand::Authorize, Truth::Held) => {
            state.card.payment = Payment::Authorized;
            end(state, steps.authorize, Row::Applied);
        }
        (Errand::Authorize, _) => {
            state.card.payment = Payment::GivenUp;
            end(state, steps.authorize, Row::Refused);
        }
        (Errand::Capture | Errand::Void, Truth::Taken) => {
            state.card.payment = Payment::Captured;
            end(state, steps.capture, Row::Applied);
            end(state, steps.authorize, Row::Applied);
        }
        (Errand::Capture, _) => state.card.errand = Some(if decides { Errand::Void } else { Errand::Capture }),
        (Errand::Void, _) => {
            state.card.payment = Payment::GivenUp;
            end(state, steps.capture, Row::Refused);
            end(state, steps.authorize, Row::Compensated);
        }
    }
}

fn end(state: &mut State, step: usize, row: Row) {
    if state.books[step].row() == Row::InProgress {
        state.books[step].set_row(row);
    }
}
