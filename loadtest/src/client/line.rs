//! A connection that measures: how long each call takes until it is answered, by the call's name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::transport::{Channel, Error};
use tower::Service;

use crate::tally::Times;

/// What the calls on all connections of a client took; clones count into the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Mutex<BTreeMap<String, Times>>>);

/// A connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Line {
    pub(super) channel: Channel,
    pub(super) meter: Meter,
}

impl Meter {
    /// What was counted since the last time, by `Service/Method`.
    pub(crate) fn take(&self) -> BTreeMap<String, Times> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn record(&self, path: &str, time: Duration) {
        let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match calls.get_mut(name) {
            Some(times) => times.record(time),
            None => calls.entry(name.to_owned()).or_default().record(time),
        }
    }
}

impl Service<Request<Body>> for Line {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (started, path, meter) = (Instant::now(), request.uri().path().to_owned(), self.meter.clone());
        let answer = self.channel.call(request);
        Box::pin(async move {
            let answer = answer.await;
            meter.record(&path, started.elapsed());
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_name_and_taken_once() {
        let meter = Meter::default();
        meter.record("/ticketing.concert.v1.ReservationService/CreateReservation", Duration::from_millis(2));
        meter.clone().record("/ticketing.concert.v1.ReservationService/CreateReservation", Duration::from_millis(4));
        let taken = meter.take();
        assert_eq!(taken["ReservationService/CreateReservation"].count(), 2);
        assert!(meter.take().is_empty());
    }
}
