//! A sale that customers come to one by one for as long as it lasts. What [`super::seed`] prepares beforehand is prepared
//! here for each customer as he comes, so that it can be done while anything fails: a call that does is his bad luck alone.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use fastrand::Rng;

use super::office::Office;
use super::show::{ENCORE, GALA, Seat, Show};
use super::{Buyer, Order};
use crate::client::Client;
use crate::mix::Mix;
use crate::progress::Progress;

/// One customer in so many goes through the waiting room.
const QUEUES: usize = 2;

/// Two concerts: one behind a waiting room, and one that anybody can come to.
#[derive(Debug)]
pub struct Sale {
    office: Office,
    shows: [Show; QUEUES],
    seats: [Mutex<std::vec::IntoIter<Seat>>; QUEUES],
    mix: Mix,
    seed: u64,
}

impl Sale {
    /// Opens both with seats for so many customers, who behave as often in each way as `mix` says.
    ///
    /// # Errors
    /// When the server refuses something.
    pub async fn open(client: &Client, customers: usize, mix: Mix, seed: u64) -> Result<Self> {
        let office = Office::new(client, Progress::Hidden.bar("", 0), Progress::Hidden.bar("", 0));
        let mut shows = [
            Show::open(client, &GALA, customers / QUEUES + 1).await?,
            Show::open(client, &ENCORE, customers / QUEUES + 1).await?,
        ];
        let seats = shows.each_mut().map(|show| Mutex::new(std::mem::take(&mut show.seats)));
        Ok(Self { office, shows, seats, mix, seed })
    }

    /// The customer whose turn it is: registered, with points, a place in the line where there is one, and a seat that he
    /// holds. How he behaves follows from the seed and his turn.
    ///
    /// # Errors
    /// When a call fails, or all seats have been taken.
    pub async fn order(&self, turn: usize) -> Result<Order> {
        let mut random = Rng::with_seed(self.seed.wrapping_add(turn as u64));
        let behaviour = self.mix.draw(&mut random);
        let which = turn % QUEUES;
        let seat = self.seats[which].lock().unwrap_or_else(PoisonError::into_inner).next();
        let buyer = Buyer { turn, behaviour, seats: vec![seat.context("all seats have been taken")?] };
        let guest = self.office.receive(&self.shows[which], buyer).await?;
        Ok(self.office.hold(&self.shows[which], guest).await?.1)
    }
}
