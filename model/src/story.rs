//! Schedules as people read them: one line an event, faults marked.

use crate::card::Errand;
use crate::case::Case;
use crate::events::{Event, Leg, Word};
use crate::state::{Message, Who};
use crate::world::{Act, What, Written};

/// The kind of an event.
pub(crate) fn kind(act: Act) -> &'static str {
    match act.written {
        Written::Known => {}
        Written::LandsUnknown | Written::HangsUnknown => return "write in doubt",
        Written::DiesBefore => return "death before a write",
    }
    match act.what {
        What::Arrives(message) if message.who() == Who::Nobody => "late arrival",
        What::Arrives(_) => "arrival",
        What::IsRefused(_) => "refusal",
        What::IsAnswered(_) => "answer",
        What::IsAnsweredLate(_) => "answer past the deadline",
        What::Fails(message, _) if message.reply().is_none() => "lost or late request",
        What::Fails(..) => "lost or spoiled reply",
        What::Doubles(_) => "duplicate",
        What::Wakes(..) => "retry",
        What::Meets(event) => match event {
            Event::Deadline => "deadline",
            Event::Cancel => "cancel",
            Event::Abort => "abort",
            Event::Suspend => "suspend",
            Event::Resume => "resume",
            Event::Retry => "retry by hand",
            Event::Resolve { .. } => "resolve",
            Event::Answered { .. } | Event::Woke(_) | Event::Adopted { .. } => "event",
        },
        What::MeetsElsewhere(_) => "verb elsewhere",
        What::Dies => "crash",
        What::IsTakenOver { late: false } => "take-over",
        What::IsTakenOver { late: true } => "take-over past the deadline",
        What::IsAdopted { late: false } => "adoption",
        What::IsAdopted { late: true } => "adoption past the deadline",
        What::FindsOut => "write found out",
        What::Lands => "late write",
        What::HoldEnds => "end of the hold",
        What::CardArrives(_) => "processor asked",
        What::CardDeclines(_) => "decline",
        What::CardSettles => "processor's answer",
        What::RowsPurged => "purge",
        What::HandSent(_) => "request by hand",
    }
}

/// The event as a line.
pub(crate) fn line(case: &Case, act: Act, is_fault: bool, row: &str) -> String {
    let written = match act.written {
        Written::Known => "",
        Written::LandsUnknown => "; the write lands, and nobody knows",
        Written::HangsUnknown => "; the write hangs, and nobody knows",
        Written::DiesBefore => "; the calls go out, and the process dies before the write",
    };
    let mark = if is_fault { '!' } else { ' ' };
    let text = format!("{}{written}", text(case, act.what));
    format!("{mark} {text:<86} {row}")
}

fn text(case: &Case, what: What) -> String {
    let name = |message: Message| leg(case, message.leg());
    match what {
        What::Arrives(message) if message.who() == Who::Nobody => format!("a late {} arrives", name(message)),
        What::Arrives(message) => format!("{} arrives", name(message)),
        What::IsRefused(message) => format!("{} arrives and is refused", name(message)),
        What::IsAnswered(message) => {
            format!("{} is answered{}: {}", name(message), former(message.who()), reply(message))
        }
        What::IsAnsweredLate(message) => format!("{} is answered past the deadline: {}", name(message), reply(message)),
        What::Fails(message, answer) if message.reply().is_none() => {
            format!("{} does not arrive, at least not yet: {}", name(message), answer.text())
        }
        What::Fails(message, answer) => {
            format!("the reply of {} ({}) is lost: {}", name(message), reply(message), answer.text())
        }
        What::Doubles(message) => format!("{} is doubled on its way", name(message)),
        What::Wakes(who, due) => format!("{} is tried again{}", leg(case, due), former(who)),
        What::Meets(event) => verb(case, event),
        What::MeetsElsewhere(event) => {
            format!("{}, by way of another process; the first is only slow", verb(case, event))
        }
        What::Dies => "the process dies".to_owned(),
        What::IsTakenOver { late: false } => "another process takes the saga over; the first is only slow".to_owned(),
        What::IsTakenOver { late: true } => {
            "another takes the saga over past its deadline; the first is only slow".to_owned()
        }
        What::IsAdopted { late: false } => "a process adopts the saga".to_owned(),
        What::IsAdopted { late: true } => "a process adopts the saga past its deadline".to_owned(),
        What::FindsOut => "the process finds out about its write".to_owned(),
        What::Lands => "the write that hung lands".to_owned(),
        What::HoldEnds => "the hold runs out".to_owned(),
        What::CardArrives(asked) => format!("the processor does what it is asked: {}", errand(asked)),
        What::CardDeclines(asked) => format!("the processor declines: {}", errand(asked)),
        What::CardSettles => "the processor's answer is written down".to_owned(),
        What::RowsPurged => "the participants forget their rows".to_owned(),
        What::HandSent(sent) => format!("an operator sends {} by hand", leg(case, sent)),
    }
}

fn leg(case: &Case, leg: Leg) -> String {
    let direction = if leg.is_forward() { "do" } else { "compensate" };
    format!("\"{direction} {}\"", case.plan.steps()[leg.step()].id)
}

fn reply(message: Message) -> &'static str {
    message.reply().map_or("nothing", |answer| answer.text())
}

fn former(who: Who) -> &'static str {
    if who == Who::Former { " to the former owner" } else { "" }
}

fn errand(errand: Errand) -> &'static str {
    match errand {
        Errand::Authorize => "hold",
        Errand::Capture => "take",
        Errand::Void => "void",
    }
}

fn verb(case: &Case, event: Event) -> String {
    match event {
        Event::Deadline => "the deadline passes".to_owned(),
        Event::Cancel => "the customer cancels".to_owned(),
        Event::Abort => "an operator aborts".to_owned(),
        Event::Suspend => "an operator suspends".to_owned(),
        Event::Resume => "an operator resumes".to_owned(),
        Event::Retry => "an operator retries".to_owned(),
        Event::Resolve { step, word } => {
            let word = match word {
                Word::Succeeded => "succeeded",
                Word::NotApplied => "was not applied",
                Word::Compensated => "is compensated",
            };
            format!("an operator states that {} {word}", case.plan.steps()[usize::from(step)].id)
        }
        Event::Answered { .. } | Event::Woke(_) | Event::Adopted { .. } => "something happens".to_owned(),
    }
}
