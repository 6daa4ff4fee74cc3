//! Sagas and checkouts as people read them, and the same as JSON for programs.

use comfy_table::{ContentArrangement, Table, presets};
use prost::Message as _;
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout::State as Shown;
use proto::orchestrator::v1::saga::State;
use proto::orchestrator::v1::saga::step::attempt::Outcome;
use proto::orchestrator::v1::saga::step::{Attempt, State as StepState};
use serde_json::{Value, json};
use service_kit::wire;
use terminal_size::{Width, terminal_size};

pub mod operations;

/// A table without a heavy frame, as wide as the terminal.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some((Width(columns), _)) = terminal_size() {
        table.set_width(columns);
    }
    table.set_header(header);
    table
}

/// Sagas, a line each.
pub fn saga_table(sagas: &[pb::Saga]) -> Table {
    let mut table = table(&["saga", "kind", "state", "customer", "created", "version", "why"]);
    for saga in sagas {
        let created = saga.create_time.map(time).unwrap_or_default();
        let why = saga.failure.as_ref().map(failure).unwrap_or_default();
        let state = saga.state().as_str_name().to_lowercase();
        table.add_row([&saga.name, &saga.kind, &state, &saga.customer, &created, &saga.version.to_string(), &why]);
    }
    table
}

/// One saga as a tree: its state, its steps, and the last attempts of each.
pub fn saga_tree(saga: &pb::Saga) -> String {
    let mut text = String::new();
    let state = saga.state().as_str_name().to_lowercase();
    let mut line = |indent: usize, content: String| text += &format!("{:indent$}{content}\n", "");
    line(0, format!("{}  {} {state}, version {}, epoch {}", saga.name, saga.kind, saga.version, saga.epoch));
    line(2, format!("customer {}  amount {}", or_dash(&saga.customer), saga.amount));
    for (what, at) in [("created", saga.create_time), ("decided", saga.decide_time), ("ended", saga.end_time)] {
        if let Some(at) = at {
            line(2, format!("{what:<8} {}", time(at)));
        }
    }
    if let Some(status) = &saga.failure {
        line(2, format!("because  {}", failure(status)));
    }
    for step in &saga.steps {
        let kind = step.kind().as_str_name().to_lowercase();
        line(
            2,
            format!("{} {:<20} {:<13} {kind}", mark(step.state()), step.id, step.state().as_str_name().to_lowercase()),
        );
        for attempt in &step.attempts {
            line(6, attempt_line(attempt, step));
        }
        if let Some(next) = step.next_attempt_time {
            line(6, format!("next attempt {}", time(next)));
        }
    }
    text
}

/// One checkout in a few lines.
pub fn checkout_text(checkout: &pb::Checkout) -> String {
    let hint = if checkout.state() == Shown::Completing { "  (bought; what is left cannot be refused)" } else { "" };
    let mut text = format!("{}  {}{hint}\n", checkout.name, checkout.state().as_str_name());
    let fields =
        [("reservation", &checkout.reservation), ("customer", &checkout.customer), ("payment", &checkout.payment)];
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        text += &format!("  {name:<12} {value}\n");
    }
    if checkout.amount > 0 {
        text += &format!("  {:<12} {} KRW\n", "amount", checkout.amount);
    }
    for ticket in &checkout.tickets {
        text += &format!("  {:<12} {ticket}\n", "ticket");
    }
    if let Some(status) = &checkout.failure {
        text += &format!("  {:<12} {}\n", "because", failure(status));
    }
    text
}

/// A saga as JSON.
pub fn saga_json(saga: &pb::Saga) -> Value {
    json!({
        "name": saga.name,
        "kind": saga.kind,
        "planVersion": saga.plan_version,
        "resource": saga.resource,
        "state": saga.state().as_str_name(),
        "suspendedFrom": (saga.state() == State::Suspended).then(|| saga.suspended_from().as_str_name()),
        "customer": saga.customer,
        "amount": saga.amount,
        "version": saga.version,
        "epoch": saga.epoch,
        "owner": saga.owner,
        "createTime": saga.create_time.map(time),
        "decideTime": saga.decide_time.map(time),
        "endTime": saga.end_time.map(time),
        "deadline": saga.deadline.map(time),
        "failure": saga.failure.as_ref().map(failure_json),
        "steps": saga.steps.iter().map(step_json).collect::<Vec<_>>(),
    })
}

/// A checkout as JSON.
pub fn checkout_json(checkout: &pb::Checkout) -> Value {
    json!({
        "name": checkout.name,
        "customer": checkout.customer,
        "reservation": checkout.reservation,
        "state": checkout.state().as_str_name(),
        "amount": checkout.amount,
        "payment": checkout.payment,
        "seats": checkout.seats,
        "tickets": checkout.tickets,
        "version": checkout.version,
        "failure": checkout.failure.as_ref().map(failure_json),
        "createTime": checkout.create_time.map(time),
        "decideTime": checkout.decide_time.map(time),
        "endTime": checkout.end_time.map(time),
    })
}

fn step_json(step: &pb::saga::Step) -> Value {
    json!({
        "id": step.id,
        "kind": step.kind().as_str_name(),
        "state": step.state().as_str_name(),
        "method": step.method,
        "compensationMethod": step.compensation_method,
        "attempts": step.attempts.iter().map(attempt_json).collect::<Vec<_>>(),
        "nextAttemptTime": step.next_attempt_time.map(time),
    })
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "compensation": attempt.compensation,
        "outcome": attempt.outcome().as_str_name(),
        "startTime": attempt.start_time.map(time),
        "elapsedMs": attempt.elapsed.map(wire::duration_ms),
        "status": attempt.status.as_ref().map(failure_json),
    })
}

fn failure_json(status: &tonic_types::Status) -> Value {
    json!({ "code": status.code, "message": status.message, "reason": reason(status) })
}

fn attempt_line(attempt: &Attempt, step: &pb::saga::Step) -> String {
    let method = if attempt.compensation { &step.compensation_method } else { &step.method };
    let method = method.rsplit('/').next().unwrap_or_default();
    let outcome = attempt.outcome();
    let is_under_way = outcome == Outcome::Unspecified;
    let outcome = if is_under_way { "under way".to_owned() } else { outcome.as_str_name().to_lowercase() };
    let elapsed = attempt.elapsed.map(|elapsed| format!(" in {} ms", wire::duration_ms(elapsed))).unwrap_or_default();
    let status = attempt.status.as_ref().map(|status| format!(": {}", failure(status))).unwrap_or_default();
    format!("#{} {method} {outcome}{elapsed}{status}", attempt.number)
}

fn failure(status: &tonic_types::Status) -> String {
    let reason = reason(status);
    let code = tonic::Code::from_i32(status.code);
    if reason.is_empty() { format!("{code:?}: {}", status.message) } else { format!("{reason}: {}", status.message) }
}

fn reason(status: &tonic_types::Status) -> String {
    let (code, message) = (tonic::Code::from_i32(status.code), status.message.clone());
    let status = tonic::Status::with_details(code, message, status.encode_to_vec().into());
    service_kit::refusal::reason(&status).unwrap_or_default()
}

/// A point in time, in UTC.
fn time(at: prost_types::Timestamp) -> String {
    at.to_string()
}

fn mark(state: StepState) -> &'static str {
    match state {
        StepState::Succeeded => "✓",
        StepState::Refused => "✗",
        StepState::Compensated => "↩",
        StepState::Skipped => "–",
        StepState::Unspecified | StepState::Pending => "·",
        StepState::Running | StepState::Uncertain | StepState::Compensating => "…",
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "–" } else { text }
}
