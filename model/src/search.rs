//! The walk: every state with the fewest faults, and then the fewest events, that lead to it. So each is looked at once, and
//! what is found wrong first has no shorter schedule.

use std::collections::{BTreeMap, VecDeque};

use crate::books;
use crate::case::Case;
use crate::hash::Places;
use crate::rules::Rules;
use crate::state::State;
use crate::story;
use crate::world::{Act, Next, World};

/// No place.
const NOWHERE: u32 = u32::MAX;

/// A promise that is broken, and the schedule that breaks it.
#[derive(Debug, Clone)]
pub struct Found {
    /// The promise.
    pub rule: &'static str,
    /// How many faults it takes.
    pub faults: u8,
    /// One line an event.
    pub schedule: Vec<String>,
}

/// What a walk has seen.
#[derive(Debug, Clone, Default)]
pub struct Walked {
    /// States, by the fewest faults that lead there.
    pub states: Vec<usize>,
    /// Schedules: each a shortest way to a state and one event more.
    pub schedules: Vec<usize>,
    /// States of the saga in the journal, by name.
    pub rows: BTreeMap<&'static str, usize>,
    /// The same without any fault.
    pub calm_rows: BTreeMap<&'static str, usize>,
    /// Events, by kind.
    pub events: BTreeMap<&'static str, usize>,
    /// Sagas that do not do the same.
    pub sagas: usize,
    /// Decisions of the shipped core.
    pub decisions: usize,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    from: u32,
    act: Option<Act>,
    faults: u8,
    depth: u16,
    is_settled: bool,
    /// Where a fair world goes from here.
    fair: u32,
}

impl Node {
    fn new(from: u32, act: Option<Act>, (faults, depth): (u8, u16)) -> Node {
        Node { from, act, faults, depth, is_settled: false, fair: NOWHERE }
    }
}

#[derive(Debug)]
struct Wrong {
    rule: &'static str,
    from: u32,
    act: Option<Act>,
    faults: u8,
    depth: u16,
}

/// One walk.
#[derive(Debug)]
pub struct Search {
    world: World,
    states: Vec<State>,
    nodes: Vec<Node>,
    places: Places,
    /// By faults: what is to be looked at.
    open: Vec<Vec<u32>>,
    /// What was met on the level that is walked now.
    queue: VecDeque<u32>,
    level: usize,
    wrong: Option<Wrong>,
    walked: Walked,
}

impl Search {
    /// Walks a case through under the given rules.
    ///
    /// # Errors
    /// The broken promise with the shortest schedule.
    pub fn run(case: &'static Case, rules: Rules) -> Result<Walked, Box<Found>> {
        let (world, first) = World::new(case, rules);
        let levels = usize::from(rules.faults) + 1;
        let mut search = Search {
            world,
            states: Vec::new(),
            nodes: Vec::new(),
            places: Places::new(),
            open: vec![Vec::new(); levels],
            queue: VecDeque::new(),
            level: usize::MAX,
            wrong: None,
            walked: Walked { states: vec![0; levels], schedules: vec![0; levels], ..Walked::default() },
        };
        search.meet(Node::new(NOWHERE, None, (0, 0)), first);
        for faults in 0..levels {
            search.walk_level(faults);
            if let Some(wrong) = search.wrong.take_if(|wrong| usize::from(wrong.faults) <= faults) {
                return Err(Box::new(search.told(&wrong)));
            }
        }
        search.check_liveness()?;
        (search.walked.sagas, search.walked.decisions) = search.world.machine.size();
        Ok(search.walked)
    }

    fn walk_level(&mut self, faults: usize) {
        self.level = faults;
        let mut open = std::mem::take(&mut self.open[faults]);
        open.sort_by_key(|place| self.nodes[*place as usize].depth);
        let mut open = VecDeque::from(open);
        self.queue.clear();
        loop {
            let depth = |place: Option<&u32>| place.map(|place| self.nodes[*place as usize].depth);
            let place = match (depth(open.front()), depth(self.queue.front())) {
                (None, None) => return,
                (Some(one), Some(other)) if one <= other => open.pop_front(),
                (Some(_), None) => open.pop_front(),
                (_, Some(_)) => self.queue.pop_front(),
            };
            let Some(place) = place else { return };
            let node = &mut self.nodes[place as usize];
            if node.is_settled || usize::from(node.faults) != faults {
                continue;
            }
            node.is_settled = true;
            let node = *node;
            let is_shorter = |wrong: &Wrong| (wrong.faults, wrong.depth) <= (node.faults, node.depth);
            if self.wrong.as_ref().is_some_and(is_shorter) {
                return;
            }
            self.expand(place, node);
        }
    }

    fn expand(&mut self, place: u32, node: Node) {
        let state = self.states[place as usize];
        self.count(&state, node);
        self.world.look(&state, self.world.rules.faults - node.faults);
        let nexts = std::mem::take(&mut self.world.nexts);
        for Next { act, cost, state, wrong } in &nexts {
            let faults = node.faults + cost;
            self.walked.schedules[usize::from(faults)] += 1;
            *self.walked.events.entry(story::kind(*act)).or_default() += 1;
            let (act, depth) = (Some(*act), node.depth + 1);
            if let Some(rule) = wrong {
                self.blame(Wrong { rule, from: place, act, faults, depth });
            }
            let next = self.meet(Node::new(place, act, (faults, depth)), *state);
            let fair = &mut self.nodes[place as usize].fair;
            if *cost == 0 && *fair == NOWHERE {
                *fair = next;
            }
        }
        self.world.nexts = nexts;
    }

    fn count(&mut self, state: &State, node: Node) {
        self.walked.states[usize::from(node.faults)] += 1;
        let name = self.world.row(state).name;
        *self.walked.rows.entry(name).or_default() += 1;
        if node.faults == 0 {
            *self.walked.calm_rows.entry(name).or_default() += 1;
        }
    }

    /// Comes to a state. One that is known already may have got a shorter schedule.
    fn meet(&mut self, node: Node, state: State) -> u32 {
        let Node { from, act, faults, depth, .. } = node;
        let place = match self.places.find_or_push(&self.states, &state) {
            Some(place) => {
                let known = &mut self.nodes[place as usize];
                if known.is_settled || (known.faults, known.depth) <= (faults, depth) {
                    return place;
                }
                *known = node;
                place
            }
            None => {
                self.states.push(state);
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        if let Err(rule) = books::check(self.world.case, &state, self.world.machine.view(state.row)) {
            self.blame(Wrong { rule, from, act, faults, depth });
        }
        match usize::from(faults) == self.level {
            true => self.queue.push_back(place),
            false => self.open[usize::from(faults)].push(place),
        }
        place
    }

    fn blame(&mut self, wrong: Wrong) {
        let is_longer = |known: &Wrong| (known.faults, known.depth) <= (wrong.faults, wrong.depth);
        if !self.wrong.as_ref().is_some_and(is_longer) {
            self.wrong = Some(wrong);
        }
    }

    /// From every state a world without further faults comes to an end, or to where a person is needed.
    fn check_liveness(&mut self) -> Result<(), Box<Found>> {
        const UNKNOWN: u8 = 0;
        const ON_THE_WAY: u8 = 1;
        const ENDS: u8 = 2;
        let mut marks = vec![UNKNOWN; self.states.len()];
        for start in 0..self.states.len() {
            let (mut path, mut place) = (Vec::new(), start);
            let ends = loop {
                let row = self.world.row(&self.states[place]);
                match marks[place] {
                    ENDS => break true,
                    ON_THE_WAY => break false,
                    _ if row.is_terminal() || row.is_suspended => break true,
                    _ => {}
                }
                marks[place] = ON_THE_WAY;
                path.push(place);
                match self.nodes[place].fair {
                    NOWHERE => break false,
                    next => place = next as usize,
                }
            };
            if !ends {
                let Node { from, act, faults, depth, .. } = self.nodes[start];
                let rule = "from every state a fair world comes to an end";
                return Err(Box::new(self.told(&Wrong { rule, from, act, faults, depth })));
            }
            path.into_iter().for_each(|place| marks[place] = ENDS);
        }
        Ok(())
    }

    fn told(&self, wrong: &Wrong) -> Found {
        let mut schedule = Vec::new();
        let (mut act, mut faults, mut row, mut place) = (wrong.act, wrong.faults, "", wrong.from);
        while place != NOWHERE {
            let node = &self.nodes[place as usize];
            schedule.extend(act.map(|act| story::line(self.world.case, act, faults > node.faults, row)));
            (act, faults, row) = (node.act, node.faults, self.world.row(&self.states[place as usize]).name);
            place = node.from;
        }
        schedule.reverse();
        Found { rule: wrong.rule, faults: wrong.faults, schedule }
    }
}
