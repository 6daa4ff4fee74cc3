//! What the orchestrator tells about its sagas.

pub mod wire;
