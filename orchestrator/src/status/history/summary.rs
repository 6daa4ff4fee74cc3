//! One line for people about each thing that can happen to a saga.

use saga::{Call, Class, Direction, Fact, Failure, Plan, Resolution, State, StepIndex, Verb};

use crate::status::wire::reason;

/// What happened, in a sentence without a full stop.
pub(in crate::status) fn of(plan: Option<&Plan>, fact: &Fact) -> String {
    let line = Line(plan);
    match fact {
        Fact::Started => "accepted".into(),
        Fact::Skipped(step) => format!("{} is not needed", line.step(*step)),
        Fact::Intended(call) => format!("{} goes out", line.call(*call)),
        Fact::Answered { call, class, failure, elapsed_ms } => {
            let why = failure.as_ref().map(because).unwrap_or_default();
            format!("{} {} after {elapsed_ms} ms{why}", line.call(*call), came_to(*class))
        }
        Fact::Abandoned(call) => format!("{} is no longer waited for; it may have happened", line.call(*call)),
        Fact::Turned { to, cause } => {
            let why = cause.as_ref().map(because).unwrap_or_default();
            format!("{}{why}", turned(to))
        }
        Fact::Adopted => "taken over; whatever was under way is in doubt".into(),
        Fact::Intervened { verb, by, reason } => format!("{by} asked to {}: {reason}", asked(*verb)),
        Fact::Resolved { step, resolution, by, reason, evidence } => {
            format!("{by} stated that {} {}: {reason} (evidence: {evidence})", line.step(*step), stated(resolution))
        }
        Fact::Alarm(call) => format!("{} goes on failing although it may not fail", line.call(*call)),
    }
}

/// The id of a step.
pub(in crate::status) fn step(plan: Option<&Plan>, index: StepIndex) -> &'static str {
    plan.and_then(|plan| plan.step(index)).map_or("an unknown step", |step| step.id)
}

/// Names steps and calls of one saga.
struct Line<'a>(Option<&'a Plan>);

impl Line<'_> {
    fn step(&self, index: StepIndex) -> &'static str {
        step(self.0, index)
    }

    fn call(&self, call: Call) -> String {
        let step = self.step(call.step);
        match call.direction {
            Direction::Forward => format!("attempt {} of {step}", call.attempt),
            Direction::Compensation => format!("attempt {} to compensate {step}", call.attempt),
        }
    }
}

fn came_to(class: Class) -> &'static str {
    match class {
        Class::Done => "succeeded",
        Class::Refused => "was refused",
        Class::NotExecuted => "was not executed",
        Class::InDoubt => "ended in doubt",
        Class::Overloaded => "met an overloaded participant",
        Class::Pending => "is still being decided outside",
        Class::Contract => "met a broken contract",
        Class::Lie => "got an impossible reply",
    }
}

fn turned(to: &State) -> &'static str {
    match to {
        State::Running => "goes on",
        State::Completing => "decided: it will complete",
        State::Completed => "completed",
        State::Arbitrating => "is to stop; its arbiter is asked whether the pivot happened",
        State::Compensating => "decided: it is compensated",
        State::Compensated => "all is compensated",
        State::Suspended(_) => "suspended until a person has looked",
    }
}

fn asked(verb: Verb) -> &'static str {
    match verb {
        Verb::Cancel => "cancel",
        Verb::Abort => "abort",
        Verb::Suspend => "suspend",
        Verb::Resume => "resume",
        Verb::Retry => "retry at once",
    }
}

fn stated(resolution: &Resolution) -> &'static str {
    match resolution {
        Resolution::Succeeded { .. } => "succeeded",
        Resolution::NotApplied => "did not happen",
        Resolution::Compensated => "is compensated",
    }
}

fn because(failure: &Failure) -> String {
    match (reason(failure), failure.message.as_str()) {
        ("", message) => format!(" ({message})"),
        (reason, "") => format!(" ({reason})"),
        (reason, message) => format!(" ({reason}: {message})"),
    }
}
