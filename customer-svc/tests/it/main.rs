//! The customer service as its callers see it: the generated clients over its routes, in process, on a clock that stands
//! still. Each test ends with a look at what must hold over the tables.

#[cfg(test)]
mod chain;
#[cfg(test)]
mod check;
#[cfg(test)]
mod credit;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod customers;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod input;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod meet;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod rivals;
#[cfg(test)]
mod states;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod verify;
#[cfg(test)]
mod walk;
