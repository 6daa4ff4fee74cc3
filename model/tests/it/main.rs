//! What the model promises, tried from outside.

#[cfg(test)]
mod barrier;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod shipped;
