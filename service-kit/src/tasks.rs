//! The background work of a process. It can be put under a supervisor, which holds all of it still, or lets it end between
//! any two of its steps: what a signal does to a process, and what a simulation has to do to several in one process.

use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// Decides when tasks may go on.
pub trait Supervisor: Debug + Send + Sync + 'static {
    /// Whether a task may take its next step now. If not, `waker` is to be woken once it may, which may be never.
    fn lets_run(&self, waker: &Waker) -> bool;
}

/// Tasks that a shutdown waits for; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    supervisor: Option<Arc<dyn Supervisor>>,
}

impl Tasks {
    /// Tasks that go on only as far as `supervisor` lets them.
    pub fn under(supervisor: Arc<dyn Supervisor>) -> Self {
        Self { tracker: TaskTracker::new(), supervisor: Some(supervisor) }
    }

    /// Starts a task.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let Some(supervisor) = self.supervisor.clone() else {
            return self.tracker.spawn(task);
        };
        self.tracker.spawn(async move {
            let mut task = pin!(task);
            let step = |context: &mut std::task::Context<'_>| match supervisor.lets_run(context.waker()) {
                true => task.as_mut().poll(context),
                false => Poll::Pending,
            };
            std::future::poll_fn(step).await
        })
    }

    /// How many have not ended.
    pub fn count(&self) -> usize {
        self.tracker.len()
    }

    /// Lets [`Tasks::wait`] return once no task is left.
    pub fn close(&self) {
        self.tracker.close();
    }

    /// Whether [`Tasks::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.tracker.is_closed()
    }

    /// Waits until the tasks are closed and all of them have ended.
    pub async fn wait(&self) {
        self.tracker.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[derive(Debug, Default)]
    struct Gate {
        open: AtomicBool,
        waiting: Mutex<Vec<Waker>>,
    }

    impl Supervisor for Gate {
        fn lets_run(&self, waker: &Waker) -> bool {
            let open = self.open.load(Ordering::SeqCst);
            if !open {
                self.waiting.lock().unwrap().push(waker.clone());
            }
            open
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_takes_no_step_before_its_supervisor_lets_it() {
        let gate = Arc::new(Gate::default());
        let tasks = Tasks::under(gate.clone());
        let mut task = tasks.spawn(async { 7 });
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut task).await.is_err());
        gate.open.store(true, Ordering::SeqCst);
        gate.waiting.lock().unwrap().drain(..).for_each(Waker::wake);
        assert_eq!(task.await.unwrap(), 7);
    }
}
