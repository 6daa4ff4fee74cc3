//! The statements, each a function named for its meaning. What they are for, and in which order, is said by the callers.

mod audit;
mod draw;
mod keys;
mod line;
mod purge;
mod rooms;
mod tokens;
mod turns;

pub(crate) use audit::*;
pub(crate) use draw::*;
pub(crate) use keys::*;
pub(crate) use line::*;
pub(crate) use purge::*;
pub(crate) use rooms::*;
pub(crate) use tokens::*;
pub(crate) use turns::*;
