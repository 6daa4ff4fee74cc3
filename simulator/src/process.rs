//! A replica's process: it runs, stands still, or is dead. It can die, or be stopped, between any two steps of any of its
//! tasks; one that is let go on takes up all that has become due meanwhile, in any order.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use fastrand::Rng;
use service_kit::tasks::Supervisor;
use tokio::sync::watch;

#[derive(Debug)]
pub(crate) struct Process {
    body: Mutex<Body>,
    dead: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Body {
    frozen: bool,
    dead: bool,
    /// Steps until it dies.
    left: Option<u32>,
    waiting: Vec<Waker>,
}

impl Default for Process {
    fn default() -> Self {
        Self { body: Mutex::default(), dead: watch::Sender::new(false) }
    }
}

impl Process {
    fn body(&self) -> MutexGuard<'_, Body> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Dies after so many more steps.
    pub(crate) fn die_in(&self, steps: u32) {
        self.body().left = Some(steps);
    }

    /// Does not die after all.
    pub(crate) fn spare(&self) {
        self.body().left = None;
    }

    pub(crate) fn die(&self) {
        self.body().dead = true;
        self.dead.send_replace(true);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.body().dead
    }

    /// Returns once it is dead.
    pub(crate) async fn death(&self) {
        // The sender lives as long as this does.
        drop(self.dead.subscribe().wait_for(|dead| *dead).await);
    }

    pub(crate) fn freeze(&self) {
        self.body().frozen = true;
    }

    /// Lets it go on, its tasks in the order of the dice.
    pub(crate) fn thaw(&self, dice: &mut Rng) {
        let mut waiting = {
            let mut body = self.body();
            body.frozen = false;
            std::mem::take(&mut body.waiting)
        };
        dice.shuffle(&mut waiting);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Supervisor for Process {
    fn lets_run(&self, waker: &Waker) -> bool {
        let mut body = self.body();
        if body.dead {
            return false;
        }
        if body.frozen {
            body.waiting.push(waker.clone());
            return false;
        }
        match body.left {
            Some(0) => {
                body.dead = true;
                drop(body);
                self.dead.send_replace(true);
                false
            }
            left => {
                body.left = left.map(|left| left - 1);
                true
            }
        }
    }
}
