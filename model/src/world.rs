//! Everything that can happen next in a state: what comes by itself first, in the order in which a fair world would have
//! it, then every fault that is still allowed.

use saga::{Kind, Phase};

use crate::barrier::{Participants, Row};
use crate::card::{self, Errand, Truth};
use crate::case::Case;
use crate::events::{Answer, Event, Leg, Word, legs};
use crate::machine::{Machine, View};
use crate::mutant::Mutant;
use crate::state::{Doubt, Message, NONE, State, Who};

/// The key of a request of which there are two on the way.
const DOUBLED: u16 = 1;
/// The key that a gateway gives a request of its own.
const GATEWAY: u16 = 7;

/// What is walked through.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The most faults of one schedule.
    pub faults: u8,
    /// One that crashes and starts again, or two that take sagas over from each other.
    pub orchestrators: u8,
    /// A rule that is wrong.
    pub mutant: Option<Mutant>,
    /// Whether late requests that can do nothing any more are kept all the same: the walk is longer and finds the same.
    pub keeps_all: bool,
}

impl Rules {
    /// The shipped rules.
    pub fn shipped(faults: u8, orchestrators: u8) -> Rules {
        Rules { faults, orchestrators, mutant: None, keeps_all: false }
    }

    /// With one that is wrong.
    pub fn with(mutant: Mutant, faults: u8, orchestrators: u8) -> Rules {
        Rules { faults, orchestrators, mutant: Some(mutant), keeps_all: true }
    }
}

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
    participants: Participants,
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
            self.disturb_messages(state);
            self.disturb_process(state);
            self.disturb_participants(state);
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
        if state.owner == NONE && !self.row(state).is_terminal() {
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

    fn served(&self, state: &State, message: Message, is_willing: bool) -> State {
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

    fn can_meddle(&self, state: &State) -> bool {
        state.owner != NONE && state.doubt == Doubt::NONE
    }

    /// Requests and replies are lost, late, doubled, refused and spoiled.
    fn disturb_messages(&mut self, state: &State) {
        for message in state.kinds() {
            if message.reply().is_none() {
                self.double(state, message);
                if self.participants.is_asked(state, message.leg()) {
                    let mut next = self.served(state, message, false);
                    next.may_park |= self.case.plan.steps()[message.leg().step()].kind == Kind::Retriable;
                    self.simply(What::IsRefused(message), 1, next);
                }
            }
            let is_heard = match message.who() {
                Who::Owner => self.can_meddle(state),
                Who::Former => self.has(Mutant::NoFence),
                Who::Nobody => false,
            };
            if is_heard {
                self.fail(state, message);
            }
        }
    }

    fn double(&mut self, state: &State, message: Message) {
        let (one, other) = match self.rules.mutant {
            Some(Mutant::GatewayKey) => (message, message.with_key(GATEWAY)),
            Some(Mutant::KeyPerAttempt) => (message, message),
            Some(_) | None => (message.with_key(DOUBLED), message.with_key(DOUBLED)),
        };
        let mut next = *state;
        next.replace(message, one);
        next.add(other.of(Who::Nobody));
        self.simply(What::Doubles(message), 1, next);
    }

    /// The caller learns something else than the participant has said, or would say.
    fn fail(&mut self, state: &State, message: Message) {
        let (who, leg, reply) = (message.who(), message.leg(), message.reply());
        let mut answers = vec![Answer::InDoubt, Answer::Overloaded, Answer::Contract];
        answers.extend(reply.map(|_| Answer::Lie));
        // What never left has no copy on the way.
        let never_left = reply.is_none() && (message.key() != DOUBLED || self.has(Mutant::CopyOfNothing));
        answers.extend(never_left.then_some(Answer::NotExecuted));
        for answer in answers {
            let mut next = *state;
            match reply.is_none() && answer != Answer::NotExecuted {
                // Nobody knows whether it is lost or only late, and it may be either.
                true => next.replace(message, message.of(Who::Nobody)),
                false => next.remove(message),
            }
            next.may_park |= matches!(answer, Answer::Contract | Answer::Lie);
            let heard = self.heard(leg, answer);
            self.event(
                &next,
                who,
                (Event::Answered { leg, answer: heard, late: false }, What::Fails(message, answer)),
                1,
            );
        }
        if let Some(answer) = reply
            && self.machine.view(state.belief(who)).phase == Some(Phase::Running)
        {
            let mut next = *state;
            next.remove(message);
            let late = Event::Answered { leg, answer, late: true };
            self.event(&next, who, (late, What::IsAnsweredLate(message)), 1);
        }
    }

    fn heard(&self, leg: Leg, answer: Answer) -> Answer {
        let is_mutant = self.has(if leg.is_forward() { Mutant::TimeoutIsFailure } else { Mutant::CompensationCapped });
        match answer == Answer::InDoubt && is_mutant {
            true if leg.is_forward() => Answer::Refused,
            true => Answer::Done,
            false => answer,
        }
    }

    /// Processes die and take over from each other; people meddle; time runs out.
    fn disturb_process(&mut self, state: &State) {
        let row = *self.row(state);
        let is_undecided = row.phase == Some(Phase::Running) && !row.is_suspended;
        if state.owner == NONE {
            if is_undecided {
                let adopted = self.adopted(state);
                self.event(&adopted, Who::Owner, (Event::Adopted { late: true }, What::IsAdopted { late: true }), 1);
            }
            return;
        }
        let mut next = *state;
        next.end(Who::Owner);
        self.simply(What::Dies, 1, next);
        if self.rules.orchestrators > 1 && state.former == NONE && !row.is_terminal() {
            self.take_over(state);
            self.meddle_elsewhere(state);
        }
        if self.can_meddle(state) {
            let mut verbs = vec![Event::Cancel, Event::Abort, Event::Retry];
            verbs.extend(is_undecided.then_some(Event::Deadline));
            for verb in verbs {
                self.event(state, Who::Owner, (verb, What::Meets(verb)), 1);
            }
            let next = State { may_park: true, ..*state };
            self.event(&next, Who::Owner, (Event::Suspend, What::Meets(Event::Suspend)), 1);
            self.resolve(state);
        }
    }

    /// An operator states what is true.
    fn resolve(&mut self, state: &State) {
        for step in 0..self.case.plan.steps().len() {
            let row = state.books[step].row();
            for word in [Word::Succeeded, Word::NotApplied, Word::Compensated] {
                let mut next = *state;
                let is_true = match (word, row) {
                    (Word::Succeeded, Row::Applied) => true,
                    (Word::NotApplied, Row::Empty) => {
                        next.books[step].set_row(Row::Tombstone);
                        true
                    }
                    (Word::NotApplied, Row::Tombstone | Row::Compensated | Row::Refused) => true,
                    (Word::Compensated, Row::Tombstone | Row::Compensated) => true,
                    (Word::Succeeded | Word::NotApplied | Word::Compensated, _) => false,
                };
                if is_true {
                    let event = Event::Resolve { step: step as u8, word };
                    self.event(&next, Who::Owner, (event, What::Meets(event)), 1);
                }
            }
        }
    }

    /// Holds run out, processors decline, hands meddle.
    fn disturb_participants(&mut self, state: &State) {
        if let Some(hold) = self.case.hold
            && !state.is_expired
            && state.books[hold].row() == Row::Empty
        {
            self.simply(What::HoldEnds, 1, State { is_expired: true, ..*state });
        }
        if let Some(steps) = self.case.card {
            let mut next = *state;
            match (state.card.errand, state.card.truth) {
                (Some(Errand::Authorize), Truth::Nothing) => card::arrive(&mut next, steps, Errand::Authorize, false),
                (Some(Errand::Capture), Truth::Held) => {
                    card::settle(&mut next, steps, self.case.pivot() == Some(steps.capture));
                }
                (Some(_) | None, _) => {}
            }
            if let Some(errand) = state.card.errand
                && next != *state
            {
                self.simply(What::CardDeclines(errand), 1, next);
            }
        }
        if self.has(Mutant::HandSent) {
            for step in 0..self.case.plan.steps().len() {
                if state.books[step].is_barred() {
                    let leg = Leg::new(step, saga::Direction::Forward);
                    let mut next = *state;
                    next.add(Message::request(leg, Who::Nobody, 0));
                    self.simply(What::HandSent(leg), 1, next);
                }
            }
        }
    }
}
