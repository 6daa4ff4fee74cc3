//! Everything that can happen next in a state: what comes by itself first, in the order in which a fair world would have
//! it, then every fault that is still allowed.

use crate::barrier::{Participants, Row};
use crate::card::{self, Errand};
use crate::case::Case;
use crate::events::{Answer, Event, Leg, legs};
use crate::machine::{Machine, View};
use crate::mutant::Mutant;
use crate::rules::Rules;
use crate::state::{Doubt, Message, NONE, State, Who};

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Arrives(Message),
    IsRefused(Message),
    IsAnswered(Message),
    IsAnsweredLate(Message),
    Fails(Message, Answer),
    Doubles(Message),
    Wakes(Who, Leg),
    Meets(Event),
    MeetsElsewhere(Event),
    Dies,
    IsTakenOver { late: bool },
    IsAdopted { late: bool },
    FindsOut,
    Lands,
    HoldEnds,
    CardArrives(Errand),
    CardDeclines(Errand),
    CardSettles,
    RowsPurged,
    HandSent(Leg),
}

/// What the writer learns of the write that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Known,
    LandsUnknown,
    HangsUnknown,
    DiesBefore,
}

/// One event of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) what: What,
    pub(crate) written: Written,
}

/// What comes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next {
    pub(crate) act: Act,
    /// How many faults it is.
    pub(crate) cost: u8,
    pub(crate) state: State,
    pub(crate) wrong: Option<&'static str>,
}

/// The world, and what it has found to happen next.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) case: &'static Case,
    pub(crate) rules: Rules,
    pub(crate) machine: Machine,
    pub(crate) participants: Participants,
    pub(crate) nexts: Vec<Next>,
    /// Faults that are still allowed.
    left: u8,
}

impl World {
    pub(crate) fn new(case: &'static Case, rules: Rules) -> (World, State) {
        let (machine, first) = Machine::new(case);
        let participants = Participants { case, mutant: rules.mutant };
        let mut world = World { case, rules, machine, participants, nexts: Vec::new(), left: 0 };
        let mut state = State::new(first.next);
        world.go_on(&mut state, Who::Owner, first);
        (world, state)
    }

    pub(crate) fn row(&self, state: &State) -> &View {
        self.machine.view(state.row)
    }

    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        self.rules.mutant == Some(mutant)
    }

    /// Finds everything that can happen next with at most so many more faults.
    pub(crate) fn look(&mut self, state: &State, left: u8) {
        self.nexts.clear();
        self.left = left;
        self.recover(state);
        self.ask_outside(state);
        self.answer(state, Who::Owner);
        self.arrive(state, |who| who == Who::Owner);
        self.wake(state, Who::Owner);
        self.linger(state);
        if left > 0 {
            self.disturb(state);
        }
    }

    pub(crate) fn push(&mut self, act: Act, cost: u8, mut state: State, wrong: Result<(), &'static str>) {
        if cost <= self.left {
            if !self.rules.keeps_all {
                state.forget_dead();
            }
            self.nexts.push(Next { act, cost, state, wrong: wrong.err() });
        }
    }

    pub(crate) fn simply(&mut self, what: What, cost: u8, state: State) {
        self.push(Act { what, written: Written::Known }, cost, state, Ok(()));
    }

    /// A process finds out about its write, and a saga that nobody drives is adopted.
    fn recover(&mut self, state: &State) {
        if state.doubt != Doubt::NONE {
            self.find_out(state);
        }
        if state.owner == NONE && !self.row(state).is_terminal() && !self.has(Mutant::NobodyAdopts) {
            let adopted = self.adopted(state);
            self.event(&adopted, Who::Owner, (Event::Adopted { late: false }, What::IsAdopted { late: false }), 0);
        }
    }

    /// The card's processor is asked and answers.
    fn ask_outside(&mut self, state: &State) {
        let Some(steps) = self.case.card else { return };
        for errand in [state.card.errand, state.card.late].into_iter().flatten() {
            let mut next = *state;
            card::arrive(&mut next, steps, errand, true);
            if next != *state {
                self.simply(What::CardArrives(errand), 0, next);
            }
        }
        if state.card.is_answered() {
            let mut next = *state;
            card::settle(&mut next, steps, self.case.pivot() == Some(steps.capture));
            if next != *state {
                self.simply(What::CardSettles, 0, next);
            }
        }
    }

    /// Replies reach those who wait for them.
    fn answer(&mut self, state: &State, who: Who) {
        if state.belief(who) == NONE || (who == Who::Owner && state.doubt != Doubt::NONE) {
            return;
        }
        for message in state.kinds().filter(|message| message.who() == who) {
            let Some(answer) = message.reply() else { continue };
            let mut next = *state;
            next.remove(message);
            let leg = message.leg();
            self.event(&next, who, (Event::Answered { leg, answer, late: false }, What::IsAnswered(message)), 0);
        }
    }

    /// Requests arrive, and the participants answer as they should.
    fn arrive(&mut self, state: &State, is_meant: impl Fn(Who) -> bool) {
        for message in state.kinds().filter(|message| message.reply().is_none() && is_meant(message.who())) {
            let next = self.served(state, message, true);
            self.simply(What::Arrives(message), 0, next);
        }
    }

    pub(crate) fn served(&self, state: &State, message: Message, is_willing: bool) -> State {
        let mut next = *state;
        let answer = self.participants.serve(&mut next, message.leg(), message.key(), is_willing);
        match message.who() {
            Who::Nobody => next.remove(message),
            Who::Owner | Who::Former => next.replace(message, message.answered(answer)),
        }
        next
    }

    /// What backs off is tried again.
    fn wake(&mut self, state: &State, who: Who) {
        if state.belief(who) == NONE || (who == Who::Owner && state.doubt != Doubt::NONE) {
            return;
        }
        let view = *self.machine.view(state.belief(who));
        if !view.is_suspended {
            for leg in legs(view.backing_off) {
                self.event(state, who, (Event::Woke(leg), What::Wakes(who, leg)), 0);
            }
        }
    }

    /// What is late, what is left of a former owner, and what a person lets go.
    fn linger(&mut self, state: &State) {
        if state.under_way != NONE {
            let mut next = *state;
            next.under_way = NONE;
            next.doubt = if next.doubt == Doubt::NONE { Doubt::NONE } else { next.doubt.landed() };
            let landed = self.land(&mut next, state.under_way);
            self.push(Act { what: What::Lands, written: Written::Known }, 0, next, landed);
        }
        self.answer(state, Who::Former);
        self.wake(state, Who::Former);
        self.arrive(state, |who| who != Who::Owner);
        if self.can_meddle(state) && self.machine.view(state.owner).is_suspended {
            self.event(state, Who::Owner, (Event::Resume, What::Meets(Event::Resume)), 0);
        }
        if self.has(Mutant::RowsPurged) && self.row(state).is_terminal() {
            let mut next = *state;
            next.books.iter_mut().for_each(|book| book.set_row(Row::Empty));
            self.simply(What::RowsPurged, 0, next);
        }
    }

    pub(crate) fn can_meddle(&self, state: &State) -> bool {
        state.owner != NONE && state.doubt == Doubt::NONE
    }
}
