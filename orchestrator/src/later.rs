//! Methods of the contracts that this version does not offer yet. They do nothing and say so.

use tonic::Status;

pub(crate) fn cancellation(method: &str) -> Status {
    comes_with(method, "the cancellation saga")
}

pub(crate) fn point_charge(method: &str) -> Status {
    comes_with(method, "the point-charge saga")
}

fn comes_with(method: &str, what: &str) -> Status {
    Status::unimplemented(format!("{method} is not offered yet; it comes with {what}"))
}
