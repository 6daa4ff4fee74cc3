//! Stories about the whole system. Each states a rule in its name and ends with the books being checked.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod bulk;
mod cancel;
mod cancellation;
mod checkout;
mod compensation;
mod corpora;
mod crash;
mod doubt;
mod fan_out;
mod gift;
mod parked;
mod passes;
mod point_charge;
mod sold_out;
mod tidy;

/// The reason that a failure carries.
fn reason_of(failure: Option<&tonic_types::Status>) -> String {
    use prost::Message as _;
    let failure = failure.expect("it has failed");
    let status = tonic::Status::with_details(failure.code.into(), &failure.message, failure.encode_to_vec().into());
    service_kit::refusal::reason(&status).unwrap_or_default()
}
