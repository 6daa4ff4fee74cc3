//! The orchestrator as its callers see it: over gRPC and on its pages, with participants that do as they are told.

#[cfg(test)]
mod act;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod archive;
#[cfg(test)]
mod bulk;
#[cfg(test)]
mod cancellations;
#[cfg(test)]
mod charges;
#[cfg(test)]
mod console;
#[cfg(test)]
mod create;
#[cfg(test)]
mod fakes;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod operate;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod spread;
#[cfg(test)]
mod statistics;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod world;
