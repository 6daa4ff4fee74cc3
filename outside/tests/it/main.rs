//! The stand-ins as those who call them see them: over HTTP.

#[cfg(test)]
mod messages;
#[cfg(test)]
mod processor;
