//! One state of the world, in sixty bytes: the journal's row, what two processes believe, the messages under way, and
//! what the participants have done.

use crate::barrier::{Backward, Book, Row};
use crate::card::Card;
use crate::events::{Answer, Leg};
use crate::machine::SagaId;

/// No saga.
pub(crate) const NONE: u32 = u32::MAX;
/// Messages that may be under way at once.
pub(crate) const MOST_MESSAGES: usize = 10;
/// Steps of a plan.
pub(crate) const MOST_STEPS: usize = 8;

/// Who waits for a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The process that the row belongs to.
    Owner = 0,
    /// One that has lost the row and does not know it yet.
    Former = 1,
    /// Nobody any more.
    Nobody = 2,
}

/// A message: a request that has not arrived, or its reply. Bits: leg 4, who 2, reply 4, key 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Message(u16);

impl Message {
    const EMPTY: Message = Message(u16::MAX);

    /// Each attempt of a leg has the same key, unless a mutant gives it one of its own.
    pub(crate) fn request(leg: Leg, who: Who, key: u16) -> Message {
        Message(u16::from(leg.0) | (who as u16) << 4 | (key & 7) << 10)
    }

    pub(crate) fn leg(self) -> Leg {
        Leg((self.0 & 15) as u8)
    }

    pub(crate) fn who(self) -> Who {
        match self.0 >> 4 & 3 {
            0 => Who::Owner,
            1 => Who::Former,
            _ => Who::Nobody,
        }
    }

    pub(crate) fn reply(self) -> Option<Answer> {
        let number = usize::from(self.0 >> 6 & 15);
        number.checked_sub(1).map(|number| Answer::ALL[number])
    }

    pub(crate) fn key(self) -> u16 {
        self.0 >> 10 & 7
    }

    pub(crate) fn answered(self, answer: Answer) -> Message {
        Message(self.0 & !(15 << 6) | (answer as u16 + 1) << 6)
    }

    pub(crate) fn of(self, who: Who) -> Message {
        Message(self.0 & !(3 << 4) | (who as u16) << 4)
    }

    pub(crate) fn with_key(self, key: u16) -> Message {
        Message(self.0 & !(7 << 10) | (key & 7) << 10)
    }
}

/// A write whose writer does not know whether it has landed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Doubt(u32);

impl Doubt {
    pub(crate) const NONE: Doubt = Doubt(0);

    pub(crate) fn new(number: u32, has_landed: bool) -> Doubt {
        Doubt((number + 1) << 1 | u32::from(has_landed))
    }

    /// The move that was to be written.
    pub(crate) fn number(self) -> Option<u32> {
        (self.0 >> 1).checked_sub(1)
    }

    pub(crate) fn has_landed(self) -> bool {
        self.0 & 1 == 1
    }

    pub(crate) fn landed(self) -> Doubt {
        Doubt(self.0 | 1)
    }
}

/// Where everything stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// What the journal holds.
    pub(crate) row: SagaId,
    /// What its owner believes, if he lives.
    pub(crate) owner: SagaId,
    pub(crate) doubt: Doubt,
    /// What a process believes that has lost the row.
    pub(crate) former: SagaId,
    /// The number of a move whose write may still land.
    pub(crate) under_way: u32,
    pub(crate) messages: [Message; MOST_MESSAGES],
    pub(crate) books: [Book; MOST_STEPS],
    pub(crate) card: Card,
    /// The hold has run out.
    pub(crate) is_expired: bool,
    /// Something has happened that a saga may be parked for.
    pub(crate) may_park: bool,
    /// More messages than the model can hold.
    pub(crate) is_flooded: bool,
}

impl State {
    pub(crate) fn new(row: SagaId) -> State {
        State {
            row,
            owner: row,
            doubt: Doubt::NONE,
            former: NONE,
            under_way: NONE,
            messages: [Message::EMPTY; MOST_MESSAGES],
            books: [Book::default(); MOST_STEPS],
            card: Card::default(),
            is_expired: false,
            may_park: false,
            is_flooded: false,
        }
    }

    /// The messages, each kind once.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Message> + use<> {
        let messages = self.messages;
        let is_first = move |place: &usize| *place == 0 || messages[place - 1] != messages[*place];
        (0..MOST_MESSAGES).filter(is_first).map(move |place| messages[place]).take_while(|m| *m != Message::EMPTY)
    }

    pub(crate) fn add(&mut self, message: Message) {
        self.is_flooded |= self.messages[MOST_MESSAGES - 1] != Message::EMPTY;
        self.messages[MOST_MESSAGES - 1] = message;
        self.messages.sort_unstable();
    }

    pub(crate) fn remove(&mut self, message: Message) {
        if let Some(place) = self.messages.iter().position(|other| *other == message) {
            self.messages[place] = Message::EMPTY;
            self.messages.sort_unstable();
        }
    }

    pub(crate) fn replace(&mut self, message: Message, by: Message) {
        if let Some(place) = self.messages.iter().position(|other| *other == message) {
            self.messages[place] = by;
            self.messages.sort_unstable();
        }
    }

    /// Nobody waits any more for the messages of `who` on other legs than these: requests go on, replies are lost.
    pub(crate) fn stop_waiting(&mut self, who: Who, except: u16) {
        for message in &mut self.messages {
            if *message != Message::EMPTY && message.who() == who && except & message.leg().bit() == 0 {
                *message = if message.reply().is_some() { Message::EMPTY } else { message.of(Who::Nobody) };
            }
        }
        self.messages.sort_unstable();
    }

    /// Forgets late requests that find a row which answers them, as every later row would too; and of several copies all
    /// but one, as the first to arrive makes such a row.
    pub(crate) fn forget_dead(&mut self) {
        let books = self.books;
        let is_dead = |message: Message| {
            let (leg, row) = (message.leg(), books[message.leg().step()].row());
            if leg.is_forward() { row != Row::Empty } else { row.backward() == Backward::Nothing }
        };
        let mut seen = 0;
        for message in &mut self.messages {
            if *message == Message::EMPTY || message.who() != Who::Nobody {
                continue;
            }
            let bit = message.leg().bit();
            *message = if seen & bit != 0 || is_dead(*message) { Message::EMPTY } else { message.with_key(0) };
            seen |= bit;
        }
        if seen != 0 {
            self.messages.sort_unstable();
        }
    }

    /// The owner has lost the row: what he waits for, he waits for as one who has.
    pub(crate) fn become_former(&mut self) {
        for message in &mut self.messages {
            if *message != Message::EMPTY && message.who() == Who::Owner {
                *message = message.of(Who::Former);
            }
        }
        self.messages.sort_unstable();
        (self.former, self.owner, self.doubt) = (self.owner, NONE, Doubt::NONE);
    }

    pub(crate) fn belief(&self, who: Who) -> SagaId {
        match who {
            Who::Owner => self.owner,
            Who::Former => self.former,
            Who::Nobody => NONE,
        }
    }

    pub(crate) fn believe(&mut self, who: Who, saga: SagaId) {
        match who {
            Who::Owner => self.owner = saga,
            Who::Former => self.former = saga,
            Who::Nobody => {}
        }
    }

    /// The process is gone, and with it what it believed and waited for.
    pub(crate) fn end(&mut self, who: Who) {
        self.stop_waiting(who, 0);
        self.believe(who, NONE);
        if who == Who::Owner {
            self.doubt = Doubt::NONE;
        }
    }
}
