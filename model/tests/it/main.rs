//! What the model promises, tried from outside.

#[cfg(test)]
mod mutants;
#[cfg(test)]
mod shipped;
