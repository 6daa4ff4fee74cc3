//! Where a test may have the process die around one write of a saga: for each thing that the write says, just before it is
//! written and just after, when nobody has heard of it yet.

use saga::{Call, Direction, Event, Saga};
use service_kit::crash_point;

use super::write::Writing;
use crate::plans::{self, Definition};

/// Before the write.
pub(super) fn before(definition: &dyn Definition, saga: &Saga, event: &Event, writing: &Writing) {
    let next = &writing.append.next.saga;
    if let Event::Attempted { call, .. } = event {
        crash_point!("journal.before_result", step(definition, *call), direction(*call));
    }
    before_intents(definition, writing);
    if saga.state().name() != next.state().name() {
        crash_point!("journal.before_turn", next.state().name(), definition.plan().kind);
    }
    if next.is_terminal() {
        crash_point!("journal.before_end", next.state().name(), definition.plan().kind);
    }
}

/// After it.
pub(super) fn after(definition: &dyn Definition, saga: &Saga, event: &Event, writing: &Writing) {
    let next = &writing.append.next.saga;
    if let Event::Attempted { call, .. } = event {
        crash_point!("journal.after_result", step(definition, *call), direction(*call));
    }
    after_intents(definition, writing);
    if saga.state().name() != next.state().name() {
        crash_point!("journal.after_turn", next.state().name(), definition.plan().kind);
    }
    if next.is_terminal() {
        crash_point!("journal.after_end", next.state().name(), definition.plan().kind);
    }
}

/// Before a write that says what is about to be sent.
pub(super) fn before_intents(definition: &dyn Definition, writing: &Writing) {
    for call in &writing.calls {
        crash_point!("journal.before_intent", step(definition, *call), direction(*call));
    }
}

/// After it.
pub(super) fn after_intents(definition: &dyn Definition, writing: &Writing) {
    for call in &writing.calls {
        crash_point!("journal.after_intent", step(definition, *call), direction(*call));
    }
}

/// The id of a call's step.
pub(super) fn step(definition: &dyn Definition, call: Call) -> &'static str {
    plans::step(definition, call.step).id
}

/// The name of a call's direction.
pub(super) fn direction(call: Call) -> &'static str {
    match call.direction {
        Direction::Forward => "forward",
        Direction::Compensation => "compensation",
    }
}
