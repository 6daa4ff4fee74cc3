//! What must hold in every state, whatever is still under way. Read from the journal's row and the participants' books alone.

use saga::{Kind, Phase};

use crate::case::Case;
use crate::machine::View;
use crate::state::State;

/// The first promise that is broken.
pub(crate) fn check(case: &Case, state: &State, row: &View) -> Result<(), &'static str> {
    ensure(!state.is_flooded, "the model holds no more messages than it can")?;
    for book in &state.books {
        ensure(book.done() <= 1, "an effect happens once")?;
        ensure(book.undone() <= book.done(), "what is taken back was there, and is taken back once")?;
        let is_there = book.done() > book.undone();
        ensure(!(book.is_barred() && is_there), "what somebody was told is compensated never happens any more")?;
    }
    let has_decided = case.pivot().is_some_and(|pivot| state.books[pivot].done() > 0);
    let takes_back = state.books.iter().any(|book| book.undone() > 0);
    ensure(!(has_decided && takes_back), "nothing is taken back of a saga that is decided")?;
    ensure(!row.is_suspended || state.may_park, "a saga is parked only for a cause")?;
    if !row.is_terminal() {
        return Ok(());
    }
    for (step, (book, line)) in state.books.iter().zip(case.plan.steps()).enumerate() {
        let net = book.done() - book.undone();
        let is_skipped = row.skipped >> step & 1 == 1;
        if row.has_completed {
            ensure(net == u16::from(!is_skipped), "in a completed saga every effect is there, once")?;
            ensure(book.undone() == 0, "in a completed saga nothing was taken back")?;
        } else {
            ensure(net == 0, "in a compensated saga nothing is left of any step")?;
            let can_turn = line.kind == Kind::Compensatable || book.done() == 0;
            ensure(can_turn, "in a compensated saga nothing happened that cannot be taken back")?;
        }
    }
    Ok(())
}

/// Whether one row of the journal may follow another: one decision, and the end is the end.
pub(crate) fn check_write(before: &View, after: &View) -> Result<(), &'static str> {
    use Phase::{Arbitrating, Compensating, Completing, Running};
    let is_end_kept = !before.is_terminal() || (after.is_terminal() && before.has_completed == after.has_completed);
    ensure(is_end_kept, "what has ended never changes")?;
    let goes_on = match (before.phase, after.phase) {
        (None | Some(Running), _) => true,
        (Some(Arbitrating), phase) => phase != Some(Running),
        (Some(Completing), None) => after.has_completed,
        (Some(Completing), phase) => phase == Some(Completing),
        (Some(Compensating), None) => !after.has_completed,
        (Some(Compensating), phase) => phase == Some(Compensating),
    };
    ensure(goes_on, "a saga is decided once")
}

fn ensure(holds: bool, rule: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(rule) }
}
