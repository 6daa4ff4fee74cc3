//! Every schedule of a few faults: one saga, its journal, one or two orchestrators, its participants and the network between
//! them, walked through exhaustively.
//!
//! What a saga does is decided by the shipped `saga::decide`; the rules of the runner, of the barrier and of the card
//! processor are stated here in a few lines each. Every state that can be reached with so many faults is looked at once,
//! by the fewest faults and then the fewest events that lead there, so a broken promise comes with its shortest schedule.
//!
//! Not here: time (a retry may come whenever it likes), more than one saga, and what bytes look like.

mod barrier;
mod books;
mod card;
mod case;
mod events;
mod faults;
mod forget;
mod hash;
mod letters;
mod machine;
mod mutant;
mod rules;
mod runner;
mod search;
mod state;
mod story;
mod world;

pub use barrier::Row;
pub use case::Case;
pub use letters::{Became, Letter, deliver};
pub use mutant::Mutant;
pub use rules::Rules;
pub use search::{Found, Search, Walked};
