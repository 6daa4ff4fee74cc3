//! Every fault that can strike a state: messages, processes, people, participants.

use saga::{Kind, Phase};

use crate::barrier::Row;
use crate::card::{self, Errand, Truth};
use crate::events::{Answer, Event, Leg, Word};
use crate::mutant::Mutant;
use crate::state::{Message, NONE, State, Who};
use crate::world::{What, World};

/// The key of a request of which there are two on the way.
const DOUBLED: u16 = 1;
/// The key that a gateway gives a request of its own.
const GATEWAY: u16 = 7;

impl World {
    pub(crate) fn disturb(&mut self, state: &State) {
        self.disturb_messages(state);
        self.disturb_process(state);
        self.disturb_participants(state);
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
        // What never left has no copy on its way.
        let never_left = reply.is_none() && (message.key() != DOUBLED || self.has(Mutant::RolledBackIsProof));
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
            if is_undecided && !self.has(Mutant::NobodyAdopts) {
                let adopted = self.adopted(state);
                self.event(&adopted, Who::Owner, (Event::Adopted { late: true }, What::IsAdopted { late: true }), 1);
            }
            return;
        }
        let mut next = *state;
        next.end(Who::Owner);
        self.simply(What::Dies, 1, next);
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
        if self.rules.orchestrators > 1 && state.former == NONE && !row.is_terminal() {
            self.take_over(state);
            self.meddle_elsewhere(state);
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
