//! How events leave a service and reach those who listen: the relay from the outbox to a sink, the sinks, and the sources
//! that consumers read from. Events are CloudEvents 1.0.
//!
//! What the events are, and when they come about, is the services' affair.
