//! The stand-ins as their callers meet them.

#[cfg(test)]
mod messages;
