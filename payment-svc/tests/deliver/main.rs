//! Deliveries against stand-ins of those whom they go to, over real connections, on a clock that stands still: what is due
//! is worked on when a test says so, and each message arrives exactly once whatever goes wrong in between.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod customers;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod troubles;
#[cfg(test)]
mod workers;
