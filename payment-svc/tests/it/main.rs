//! The payment service as its callers see it: the generated client over its routes, in process, on a clock that stands
//! still. Each test ends with a look at what must hold over the tables.

#[cfg(test)]
mod cards;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod input;
#[cfg(test)]
mod list;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod rivals;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod verify;
