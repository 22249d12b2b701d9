//! Room in memory for what is carried: one scheduler for all runs of a book, and for what is put on its volumes.
//!
//! Before a batch of small files or a large one is read, its run (or its put, which is one of its own) takes room for what will be held of it, and gives it back
//! when nothing of it is held any more. What always holds:
//!
//! - all runs together have no more than the budget;
//! - small files and large ones have lanes of their own, so that neither waits for the other's room;
//! - within a lane it is the turn of the run that has least of it, and of those who have as much the one that came first.
//!   Nobody is served before the one whose turn it is, so that a large request does not wait for ever;
//! - a run that waits has nothing of either lane (it asks with [`try_take`](Share::try_take) as long as it does): so no two
//!   runs wait for each other. It may stop waiting at any time.
//!
//! The parts of the lanes are fixed. Lending would use an idle lane, and let it be taken when its own want it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::provider::Capabilities;

/// What a book's runs may hold unless it is told otherwise.
pub(crate) const BUDGET: u64 = 128 << 20;
/// Less would not have room for two parts of a file, or for the largest of the small files.
const LEAST_BUDGET: u64 = 64 << 20;

/// What a place that keeps nothing of small files holds of them while they pass.
const PASSING_BYTES: u64 = 8 << 20;

/// What a large file can do with: two parts of one that is sent in parts.
const LEAST_LARGE_BYTES: u64 = 16 << 20;

/// What is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// Small files, a batch of them.
    Small,
    /// A large file, of which parts are held.
    Large,
}

/// What is asked for: `least` bytes of a lane, up to `wanted` of them. Who wants more than the lane has is given all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    lane: Lane,
    least: u64,
    wanted: u64,
}

/// Gives out room.
#[derive(Debug)]
pub(crate) struct Scheduler {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    runs: u64,
    tickets: u64,
    small: Room,
    large: Room,
}

/// A lane's part of the budget.
#[derive(Debug)]
struct Room {
    most: u64,
    taken: u64,
    /// By run; none has nothing.
    held: HashMap<u64, u64>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    run: u64,
    demand: Demand,
    given: oneshot::Sender<Held>,
}

/// What one run has of a scheduler.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    scheduler: Arc<Scheduler>,
    run: u64,
}

/// Room that was given; it is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    share: Share,
    lane: Lane,
    bytes: u64,
}

impl Demand {
    /// For small files of so many bytes together.
    pub(crate) fn small(bytes: u64, place: &Capabilities) -> Self {
        match place.staged_bytes {
            Some(_) => Self { lane: Lane::Small, least: bytes, wanted: bytes },
            None => Self { lane: Lane::Small, least: bytes.min(PASSING_BYTES), wanted: 0 },
        }
    }

    /// For so many large files.
    pub(crate) fn large(files: u64, place: &Capabilities) -> Self {
        let least = LEAST_LARGE_BYTES.min(place.large_bytes);
        Self { lane: Lane::Large, least: files * least, wanted: files * place.large_bytes }
    }
}

impl Scheduler {
    /// A scheduler with so many bytes for all, of which small files have a quarter.
    pub(crate) fn new(budget: u64) -> Arc<Self> {
        let budget = budget.max(LEAST_BUDGET);
        let (small, large) = (Room::new(budget / 4), Room::new(budget - budget / 4));
        Arc::new(Self { state: Mutex::new(State { runs: 0, tickets: 0, small, large }) })
    }

    /// The share of a run that begins.
    pub(crate) fn enter(self: &Arc<Self>) -> Share {
        let mut state = self.state();
        state.runs += 1;
        Share { scheduler: Arc::clone(self), run: state.runs }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives to whose turn it is, as long as there is enough. Who has gone away meanwhile gives it back at once.
    fn serve(self: &Arc<Self>, lane: Lane) {
        loop {
            let served = self.state().lane(lane).next();
            let Some((waiting, bytes)) = served else { return };
            let share = Share { scheduler: Arc::clone(self), run: waiting.run };
            // Outside of the lock: what is refused is dropped here, and given back.
            drop(waiting.given.send(Held { share, lane, bytes }));
        }
    }
}

impl State {
    fn lane(&mut self, lane: Lane) -> &mut Room {
        match lane {
            Lane::Small => &mut self.small,
            Lane::Large => &mut self.large,
        }
    }
}

impl Room {
    fn new(most: u64) -> Self {
        Self { most, taken: 0, held: HashMap::new(), waiting: Vec::new() }
    }

    /// What is given: the least, or half of what is free where that is more, so that others find some.
    fn fits(&self, demand: Demand) -> Option<u64> {
        let free = self.most - self.taken;
        let least = demand.least.min(self.most);
        (least <= free).then(|| demand.wanted.min(free / 2).max(least))
    }

    fn take(&mut self, run: u64, bytes: u64) {
        self.taken += bytes;
        *self.held.entry(run).or_default() += bytes;
    }

    fn give_back(&mut self, run: u64, bytes: u64) {
        self.taken -= bytes;
        if let Some(held) = self.held.get_mut(&run) {
            *held -= bytes;
            if *held == 0 {
                self.held.remove(&run);
            }
        }
    }

    /// Takes the one whose turn it is out of those who wait, with what it is given.
    fn next(&mut self) -> Option<(Waiting, u64)> {
        self.waiting.retain(|waiting| !waiting.given.is_closed());
        let turn = |waiting: &Waiting| (self.held.get(&waiting.run).copied().unwrap_or_default(), waiting.ticket);
        let first = (0..self.waiting.len()).min_by_key(|index| turn(&self.waiting[*index]))?;
        let bytes = self.fits(self.waiting[first].demand)?;
        let waiting = self.waiting.swap_remove(first);
        self.take(waiting.run, bytes);
        Some((waiting, bytes))
    }
}

impl Share {
    /// Room at once, where there is enough and nobody waits for it.
    pub(crate) fn try_take(&self, demand: Demand) -> Option<Held> {
        let mut state = self.scheduler.state();
        let room = state.lane(demand.lane);
        if room.waiting.iter().any(|waiting| !waiting.given.is_closed()) {
            return None;
        }
        let bytes = room.fits(demand)?;
        room.take(self.run, bytes);
        Some(Held { share: self.clone(), lane: demand.lane, bytes })
    }

    /// Room in its turn. Whoever holds some must not wait for more.
    pub(crate) async fn take(&self, demand: Demand) -> Held {
        loop {
            let (given, receive) = oneshot::channel();
            {
                let mut state = self.scheduler.state();
                state.tickets += 1;
                let ticket = state.tickets;
                state.lane(demand.lane).waiting.push(Waiting { ticket, run: self.run, demand, given });
            }
            self.scheduler.serve(demand.lane);
            // A scheduler lives as long as its shares, and forgets nobody who waits.
            if let Ok(held) = receive.await {
                return held;
            }
        }
    }

    /// The most that a batch may take, so that the one before it may still be held.
    pub(crate) fn batch_bytes(&self) -> u64 {
        self.scheduler.state().small.most / 2
    }
}

impl Held {
    /// How much it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.share.scheduler.state().lane(self.lane).give_back(self.share.run, self.bytes);
        self.share.scheduler.serve(self.lane);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn demand(lane: Lane, least: u64, wanted: u64) -> Demand {
        Demand { lane, least, wanted }
    }

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn taken(scheduler: &Scheduler) -> (u64, u64) {
        let state = scheduler.state();
        (state.small.taken, state.large.taken)
    }

    #[test]
    fn lanes_have_their_own_room_and_together_no_more_than_the_budget() {
        let scheduler = Scheduler::new(64 * MIB);
        let (one, other) = (scheduler.enter(), scheduler.enter());
        let large = now(one.take(demand(Lane::Large, 100 * MIB, 100 * MIB))).expect("all of the lane");
        assert_eq!(large.bytes(), 48 * MIB);
        assert!(other.try_take(demand(Lane::Large, 1, 1)).is_none());
        let small = other.try_take(demand(Lane::Small, 16 * MIB, 16 * MIB)).expect("a large file does not take it");
        assert_eq!(taken(&scheduler), (16 * MIB, 48 * MIB));
        assert!(now(one.take(demand(Lane::Small, 1, 1))).is_none());
        drop((large, small));
        assert_eq!(taken(&scheduler), (0, 0), "who has stopped waiting is given nothing");
    }

    #[test]
    fn who_wants_more_leaves_as_much_for_others() {
        let scheduler = Scheduler::new(64 * MIB);
        let share = scheduler.enter();
        let held: Vec<Held> = (0..3).map_while(|_| share.try_take(demand(Lane::Large, 8 * MIB, 64 * MIB))).collect();
        assert_eq!(held.iter().map(Held::bytes).collect::<Vec<_>>(), [24 * MIB, 12 * MIB, 8 * MIB]);
    }

    #[tokio::test]
    async fn it_is_the_turn_of_who_has_least_and_nobody_passes_by() {
        let scheduler = Scheduler::new(64 * MIB);
        let (rich, poor) = (scheduler.enter(), scheduler.enter());
        let first = rich.take(demand(Lane::Small, 10 * MIB, 0)).await;
        let second = rich.take(demand(Lane::Small, 6 * MIB, 0)).await;
        let (mut again, mut once) =
            (pin!(rich.take(demand(Lane::Small, MIB, 0))), pin!(poor.take(demand(Lane::Small, 12 * MIB, 0))));
        assert!(now(again.as_mut()).is_none() && now(once.as_mut()).is_none());
        drop(second);
        assert!(now(again.as_mut()).is_none(), "there is room for it, and it is not its turn");
        assert!(rich.try_take(demand(Lane::Small, 1, 0)).is_none());
        drop(first);
        assert_eq!(once.await.bytes(), 12 * MIB);
        assert_eq!(again.await.bytes(), MIB);
    }

    #[tokio::test]
    async fn who_stops_waiting_keeps_nobody_waiting() {
        let scheduler = Scheduler::new(64 * MIB);
        let (one, other) = (scheduler.enter(), scheduler.enter());
        let held = one.take(demand(Lane::Small, 12 * MIB, 0)).await;
        let mut given_up = Box::pin(other.take(demand(Lane::Small, 16 * MIB, 0)));
        assert!(now(given_up.as_mut()).is_none());
        drop(given_up);
        assert!(one.try_take(demand(Lane::Small, 4 * MIB, 0)).is_some());
        drop(held);
        assert_eq!(taken(&scheduler), (0, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_at_once_never_have_more_than_the_budget_and_all_come_to_their_turn() {
        let scheduler = Scheduler::new(64 * MIB);
        let tasks = (0..16_u64).map(|number| {
            let (scheduler, share) = (Arc::clone(&scheduler), scheduler.enter());
            tokio::spawn(async move {
                for round in 0..200_u64 {
                    let lane = if (number + round) % 3 == 0 { Lane::Large } else { Lane::Small };
                    let least = (number * 37 + round * 11) % 17 * MIB;
                    let held = share.take(demand(lane, least, least * 2)).await;
                    let (small, large) = taken(&scheduler);
                    assert!(small <= 16 * MIB && large <= 48 * MIB, "{small} {large}");
                    tokio::task::yield_now().await;
                    drop(held);
                }
            })
        });
        for done in futures_util::future::join_all(tasks).await {
            done.unwrap();
        }
        assert_eq!(taken(&scheduler), (0, 0));
    }
}
