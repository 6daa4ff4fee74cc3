//! The runner's rules: decide, write under the fence, then send; find out about a write that nobody knows of; adopt what
//! nobody drives.

use saga::{Illegal, Phase};

use crate::books;
use crate::events::{Answer, Event, legs};
use crate::machine::{Move, SagaId};
use crate::mutant::Mutant;
use crate::state::{Doubt, Message, NONE, State, Who};
use crate::world::{Act, What, World, Written};

impl World {
    /// Has an event decided, written and carried out, in every way that a write can come out.
    pub(crate) fn event(&mut self, from: &State, who: Who, (event, what): (Event, What), cost: u8) {
        let is_wish = matches!(what, What::Meets(_) | What::MeetsElsewhere(_));
        let number = match self.decided(from.belief(who), event) {
            Ok(number) => number,
            Err(_) if is_wish => return,
            Err(Illegal::Nothing | Illegal::Stale | Illegal::Ended) => return self.simply(what, cost, *from),
            Err(_) => {
                let act = Act { what, written: Written::Known };
                return self.push(act, cost, *from, Err("every event fits its saga"));
            }
        };
        if who == Who::Former && !self.has(Mutant::NoFence) {
            // The write changes no row, and whoever finds another epoch there drops the saga.
            let mut next = *from;
            next.end(Who::Former);
            return self.simply(what, cost, next);
        }
        let (mut next, mv) = (*from, self.machine.made(number));
        let landed = self.land(&mut next, number);
        self.go_on(&mut next, who, mv);
        self.push(Act { what, written: Written::Known }, cost, next, landed);
        if who == Who::Owner {
            self.event_in_doubt(from, number, what, cost + 1);
        }
    }

    fn event_in_doubt(&mut self, from: &State, number: u32, what: What, cost: u8) {
        let mut next = State { doubt: Doubt::new(number, true), ..*from };
        let landed = self.land(&mut next, number);
        self.push(Act { what, written: Written::LandsUnknown }, cost, next, landed);
        let mut next = State { doubt: Doubt::new(number, false), under_way: number, ..*from };
        if self.has(Mutant::UnconfirmedWrite) {
            next.doubt = Doubt::NONE;
            self.go_on(&mut next, Who::Owner, self.machine.made(number));
        }
        self.push(Act { what, written: Written::HangsUnknown }, cost, next, Ok(()));
        if self.has(Mutant::SendBeforeWrite) {
            let mut next = *from;
            self.send(&mut next, Who::Owner, self.machine.made(number));
            next.end(Who::Owner);
            self.push(Act { what, written: Written::DiesBefore }, cost, next, Ok(()));
        }
    }

    /// What a saga makes of an event. The mutant takes what was in flight past the deadline for not executed.
    fn decided(&mut self, saga: SagaId, event: Event) -> Result<u32, Illegal> {
        if event != (Event::Adopted { late: true }) || !self.has(Mutant::KnownDoneOnly) {
            return self.machine.decide(saga, event);
        }
        let mut saga = saga;
        for leg in legs(self.machine.view(saga).in_flight) {
            let answered = Event::Answered { leg, answer: Answer::NotExecuted, late: false };
            if let Ok(number) = self.machine.decide(saga, answered) {
                saga = self.machine.made(number).next;
            }
        }
        self.machine.decide(saga, event)
    }

    /// The row becomes what was decided; what else was under way to it can no longer land.
    pub(crate) fn land(&mut self, state: &mut State, number: u32) -> Result<(), &'static str> {
        let next = self.machine.made(number).next;
        let check = books::check_write(self.machine.view(state.row), self.machine.view(next));
        state.row = next;
        if !self.has(Mutant::NoFence) {
            state.under_way = NONE;
        }
        check
    }

    /// What is durable is believed, and its calls go out. Who has nothing left to do ends.
    pub(crate) fn go_on(&mut self, state: &mut State, who: Who, mv: Move) {
        state.believe(who, mv.next);
        self.send(state, who, mv);
        let view = self.machine.view(mv.next);
        state.stop_waiting(who, view.in_flight);
        if view.is_terminal() {
            state.end(who);
        }
    }

    fn send(&self, state: &mut State, who: Who, mv: Move) {
        for leg in legs(mv.sends) {
            let is_keyed = self.has(Mutant::KeyPerAttempt);
            let key = if is_keyed { self.machine.attempts(mv.next, leg) as u16 } else { 0 };
            state.add(Message::request(leg, who, key));
        }
    }

    /// The owner looks what has become of his write: it has landed, or he writes again.
    pub(crate) fn find_out(&mut self, state: &State) {
        let Some(number) = state.doubt.number() else { return };
        let mut next = State { doubt: Doubt::NONE, ..*state };
        let landed = if state.doubt.has_landed() { Ok(()) } else { self.land(&mut next, number) };
        self.go_on(&mut next, Who::Owner, self.machine.made(number));
        self.push(Act { what: What::FindsOut, written: Written::Known }, 0, next, landed);
    }

    /// The row under a new epoch: no earlier write can land.
    pub(crate) fn adopted(&self, state: &State) -> State {
        let under_way = if self.has(Mutant::NoFence) { state.under_way } else { NONE };
        State { owner: state.row, under_way, ..*state }
    }

    /// Another process adopts what one drives that is only slow.
    pub(crate) fn take_over(&mut self, state: &State) {
        let adopted = self.taken_over(state);
        self.event(&adopted, Who::Owner, (Event::Adopted { late: false }, What::IsTakenOver { late: false }), 1);
        if self.row(state).phase == Some(Phase::Running) && !self.row(state).is_suspended {
            self.event(&adopted, Who::Owner, (Event::Adopted { late: true }, What::IsTakenOver { late: true }), 2);
        }
    }

    fn taken_over(&self, state: &State) -> State {
        let mut former = *state;
        former.become_former();
        if state.doubt != Doubt::NONE {
            // It finds another epoch there and drops the saga.
            former.end(Who::Former);
        }
        self.adopted(&former)
    }

    /// Somebody asks another process for something: that one adopts the saga for it, and then obeys.
    pub(crate) fn meddle_elsewhere(&mut self, state: &State) {
        let mut adopted = self.taken_over(state);
        let Ok(number) = self.machine.decide(adopted.owner, Event::Adopted { late: false }) else { return };
        if self.land(&mut adopted, number).is_err() {
            return;
        }
        self.go_on(&mut adopted, Who::Owner, self.machine.made(number));
        // What was in flight may have been the last thing to wait for.
        if adopted.owner == NONE {
            return;
        }
        for verb in [Event::Cancel, Event::Abort, Event::Suspend, Event::Resume, Event::Retry] {
            let next = State { may_park: adopted.may_park || verb == Event::Suspend, ..adopted };
            self.event(&next, Who::Owner, (verb, What::MeetsElsewhere(verb)), 1);
        }
    }
}
