//! The orchestrator as its callers see it: over gRPC and on its pages, with participants that do as they are told.

mod console;
mod create;
mod fakes;
mod listing;
mod operate;
mod relay;
mod watch;
mod world;
