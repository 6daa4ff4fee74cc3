//! Events on their way out and in.

#[cfg(test)]
mod brokers;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod given;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod running;
#[cfg(test)]
mod webhook;
