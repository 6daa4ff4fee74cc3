//! Stories about the whole system. Each states a rule in its name and ends with the books being checked.

mod bad_input;
mod cancel;
mod checkout;
mod compensation;
mod crash;
mod doubt;
mod parked;
mod tidy;
