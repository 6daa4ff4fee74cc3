//! token-svc
