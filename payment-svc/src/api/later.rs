//! Methods of the contract that this version does not offer yet. They do nothing and say so.

use tonic::Status;

pub(super) fn with_archiving(method: &str) -> Status {
    comes_with(method, "the archiving of sagas")
}

fn comes_with(method: &str, what: &str) -> Status {
    Status::unimplemented(format!("{method} is not offered yet; it comes with {what}"))
}
