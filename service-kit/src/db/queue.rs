//! Units of work that wait for an engine, so many at most. Places are given in turn; whoever finds none waits for his in a
//! task of its own. A future that is given a place and that nobody polls would keep it, and a caller may well leave some
//! alone while he waits for another one: when they had all places, he would wait for ever.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// The engine takes no more.
pub(super) struct Stopped;

/// Where callers queue.
pub(super) struct Queue<J> {
    jobs: mpsc::Sender<Placed<J>>,
    places: Arc<Semaphore>,
}

/// A unit of work that has a place until the engine takes it.
pub(super) struct Placed<J> {
    job: J,
    _place: OwnedSemaphorePermit,
}

impl<J> Placed<J> {
    /// Gives the place to the next one.
    pub(super) fn take(self) -> J {
        self.job
    }
}

/// A queue and its other end.
pub(super) fn queue<J: Send + 'static>(places: usize) -> (Queue<J>, mpsc::Receiver<Placed<J>>) {
    let (jobs, taken) = mpsc::channel(places);
    (Queue { jobs, places: Arc::new(Semaphore::new(places)) }, taken)
}

impl<J: Send + 'static> Queue<J> {
    /// Queues a unit of work once there is a place. One whose caller leaves before that is not queued.
    pub(super) async fn send(&self, job: J) -> Result<(), Stopped> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return put(&self.jobs, job, place);
        }
        // Weak, so that those who wait do not keep an engine from ending.
        let (jobs, places) = (self.jobs.downgrade(), self.places.clone());
        let waiting = TaskTracker::new().spawn(async move {
            let place = places.acquire_owned().await.map_err(|_| Stopped)?;
            put(&jobs.upgrade().ok_or(Stopped)?, job, place)
        });
        AbortOnDropHandle::new(waiting).await.unwrap_or(Err(Stopped))
    }
}

/// Whoever has a place finds room in the channel.
fn put<J>(jobs: &mpsc::Sender<Placed<J>>, job: J, place: OwnedSemaphorePermit) -> Result<(), Stopped> {
    jobs.try_send(Placed { job, _place: place }).map_err(|_| Stopped)
}
