//! The connections at hand, as many as may be. When more want in, the one that has waited longest for a request
//! makes room; who is at work stays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::meter::Meter;

/// All connections.
pub(super) struct Crowd {
    most: usize,
    meter: Arc<Meter>,
    seats: Mutex<Seats>,
    /// Somebody left, or waits for a request now.
    stirred: Notify,
}

#[derive(Default)]
struct Seats {
    taken: usize,
    next: u64,
    /// Those who wait for a request, in the order in which they began to.
    idle: BTreeMap<u64, Arc<Notify>>,
}

/// The seat of a connection, until it is dropped.
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    asked_to_leave: Arc<Notify>,
    /// The place among those who wait for a request.
    idle: Mutex<Option<u64>>,
}

/// A request at hand on a connection, until it is dropped.
pub(super) struct Busy(Arc<Seat>);

impl Crowd {
    pub(super) fn new(most: usize, meter: Arc<Meter>) -> Arc<Self> {
        let (seats, stirred) = (Mutex::default(), Notify::new());
        Arc::new(Self { most: most.max(1), meter, seats, stirred })
    }

    /// Waits for a seat. One waits at a time: the one who takes connections.
    pub(super) async fn enter(self: &Arc<Self>) -> Arc<Seat> {
        loop {
            if self.has_room() {
                let seat = Arc::new(Seat {
                    crowd: self.clone(),
                    asked_to_leave: Arc::default(),
                    idle: Mutex::default(),
                });
                seat.wait();
                return seat;
            }
            // It keeps what came before it is awaited.
            self.stirred.notified().await;
        }
    }

    /// Takes a seat, or asks the one that has waited longest to leave.
    fn has_room(&self) -> bool {
        let mut seats = self.seats();
        if seats.taken < self.most {
            seats.taken += 1;
            self.meter.connected(seats.taken);
            return true;
        }
        if let Some((_, leaving)) = seats.idle.pop_first() {
            leaving.notify_one();
        }
        false
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Ends when others need the seat.
    pub(super) async fn is_needed(&self) {
        self.asked_to_leave.notified().await;
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        if let Some(place) = self.idle().take() {
            self.crowd.seats().idle.remove(&place);
        }
        Busy(self.clone())
    }

    fn wait(&self) {
        let mut seats = self.crowd.seats();
        let place = seats.next;
        seats.next += 1;
        seats.idle.insert(place, self.asked_to_leave.clone());
        drop(seats);
        *self.idle() = Some(place);
        self.crowd.stirred.notify_one();
    }

    fn idle(&self) -> MutexGuard<'_, Option<u64>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let place = self.idle().take();
        let mut seats = self.crowd.seats();
        if let Some(place) = place {
            seats.idle.remove(&place);
        }
        seats.taken -= 1;
        self.crowd.meter.connected(seats.taken);
        drop(seats);
        self.crowd.stirred.notify_one();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::Crowd;

    fn is_ready(future: impl Future) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[tokio::test]
    async fn the_one_that_waits_longest_makes_room_and_who_is_at_work_stays() {
        let crowd = Crowd::new(2, Default::default());
        let (first, second) = (crowd.enter().await, crowd.enter().await);
        let busy = first.begin();
        assert!(!is_ready(crowd.enter()) && is_ready(second.is_needed()));
        assert!(!is_ready(first.is_needed()) && !is_ready(crowd.enter()));
        drop(second);
        let third = crowd.enter().await;
        let working = third.begin();
        // Nobody waits: nobody is asked.
        assert!(!is_ready(crowd.enter()) && !is_ready(third.is_needed()));
        drop(busy);
        assert!(!is_ready(crowd.enter()) && is_ready(first.is_needed()));
        drop(working);
    }
}
