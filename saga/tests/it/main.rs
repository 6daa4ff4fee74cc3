//! What a saga does, told as scenarios, walked through exhaustively, and run at random against model participants.

#[cfg(test)]
mod arbitration;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod participants;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod row;
#[cfg(test)]
mod script;
#[cfg(test)]
mod soundness;
#[cfg(test)]
mod spoilt;
#[cfg(test)]
mod timing;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod words;
