//! concert-svc
