//! How many requests a server is given at once, and when: shared by everything of this process that speaks with it.
//!
//! The number of requests under way rises by one for each round of answers while their latency holds, and halves when
//! the server asks for a slower pace (additive increase, multiplicative decrease). A `Retry-After` holds for all of
//! them, exactly. What failed is sent again only where that is safe: see [`Repeat`].

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::{Code, Error, Result};

/// How often a request is sent in all.
const ATTEMPTS: u32 = 6;
/// The first pause between two attempts, at most (full jitter); it doubles each time.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause of our own choice.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// The longest time a server may ask us to wait; beyond it the request fails and says so.
const PATIENCE: Duration = Duration::from_mins(15);
/// Latency may rise to this many times the least that was seen before the number of requests stops rising.
const SLOWER: u32 = 3;
/// What latency may rise by in any case, so that answers within a moment do not count.
const JITTER: Duration = Duration::from_millis(20);

/// How many requests may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes {
    /// At the beginning.
    pub first: u32,
    /// At most.
    pub most: u32,
}

/// Whether a request whose outcome is not known may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Doing it twice is as doing it once.
    Safe,
    /// Only after the server has said that it did not act on it; else the caller looks what became of it.
    Refused,
}

/// What a request waits for while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// The server alone.
    Nothing,
    /// Other requests, which bring what it sends.
    Others,
}

/// Why an attempt failed.
#[derive(Debug)]
pub struct Refusal {
    /// The error, as it is told when no further attempt is made.
    pub error: Error,
    /// How long the server asks to wait.
    pub after: Option<Duration>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, after: None }
    }
}

/// The requests of this process to one server.
#[derive(Debug)]
pub struct Traffic {
    lanes: Lanes,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    /// Whole requests that may be under way, and the part of the next one.
    allowed: f64,
    /// Requests that wait for the server alone.
    plain: u32,
    /// Requests whose body other requests bring.
    fed: u32,
    not_before: Option<Instant>,
    slowed_at: Option<Instant>,
    least_latency: Option<Duration>,
}

impl State {
    /// What others bring may come from this very server. So bodies never take all lanes, and were there one alone, what
    /// brings a body has it beside the body: else all of them would wait for each other.
    fn admits(&self, needs: Needs) -> bool {
        let (plain, fed) = (f64::from(self.plain), f64::from(self.fed));
        match needs {
            Needs::Nothing => plain + 1.0 <= (self.allowed - fed).max(1.0),
            Needs::Others => fed + plain + 1.0 <= self.allowed && fed + 1.0 <= (self.allowed - 1.0).max(1.0),
        }
    }

    fn count(&mut self, needs: Needs) -> &mut u32 {
        match needs {
            Needs::Nothing => &mut self.plain,
            Needs::Others => &mut self.fed,
        }
    }
}

/// A request's right to be under way.
struct Lane<'a>(&'a Traffic, Needs);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        *self.0.state().count(self.1) -= 1;
        // All of them: the one that is woken may not be of the kind that is admitted.
        self.0.freed.notify_waiters();
    }
}

impl Traffic {
    /// A server that nobody else of this process speaks with.
    #[must_use]
    pub fn new(lanes: Lanes) -> Self {
        let most = lanes.most.max(1);
        let lanes = Lanes { first: lanes.first.clamp(1, most), most };
        let state = State {
            allowed: f64::from(lanes.first),
            plain: 0,
            fed: 0,
            not_before: None,
            slowed_at: None,
            least_latency: None,
        };
        Self { lanes, state: Mutex::new(state), freed: Notify::new() }
    }

    /// The traffic to this server (its scheme, host, port and account), shared with all that speak with it.
    #[must_use]
    pub fn to(server: &str, lanes: Lanes) -> Arc<Self> {
        static SERVERS: LazyLock<Mutex<HashMap<String, Weak<Traffic>>>> = LazyLock::new(Mutex::default);
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = servers.get(server).and_then(Weak::upgrade) {
            return known;
        }
        servers.retain(|_, traffic| traffic.strong_count() > 0);
        let new = Arc::new(Self::new(lanes));
        servers.insert(server.to_owned(), Arc::downgrade(&new));
        new
    }

    /// Requests that are worth being prepared at once.
    #[must_use]
    pub fn most(&self) -> usize {
        self.lanes.most as usize
    }

    /// Makes a request, in its turn, and again while that is safe and helps.
    ///
    /// # Errors
    /// That of the last attempt.
    pub async fn send<T, F>(&self, repeat: Repeat, request: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, Refusal>>,
    {
        self.send_as(Needs::Nothing, repeat, request).await
    }

    /// As [`send`](Self::send), for a request whose body is brought by others while it is under way: these may be
    /// requests to the same server.
    ///
    /// # Errors
    /// That of the last attempt.
    pub async fn send_fed<T, F>(&self, repeat: Repeat, request: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, Refusal>>,
    {
        self.send_as(Needs::Others, repeat, request).await
    }

    async fn send_as<T, F>(&self, needs: Needs, repeat: Repeat, mut request: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, Refusal>>,
    {
        let mut attempt = 1;
        loop {
            let lane = self.lane(needs).await;
            let begun = Instant::now();
            let answer = request().await;
            drop(lane);
            let Refusal { error, after } = match answer {
                Ok(answer) => {
                    self.speed_up(begun.elapsed());
                    return Ok(answer);
                }
                Err(refusal) => refusal,
            };
            let is_throttled = error.code() == Code::Throttled;
            if is_throttled {
                self.slow_down(begun);
            }
            let is_worth_it = is_throttled || (repeat == Repeat::Safe && error.is_retryable());
            if !is_worth_it || attempt == ATTEMPTS || after.is_some_and(|after| after > PATIENCE) {
                return Err(error);
            }
            match after {
                Some(after) => self.hold_until(Instant::now() + after),
                None => sleep(pause(attempt)).await,
            }
            attempt += 1;
        }
    }

    async fn lane(&self, needs: Needs) -> Lane<'_> {
        loop {
            // Before the look: it is told of everything that is freed from here on.
            let freed = self.freed.notified();
            let wait = {
                let mut state = self.state();
                let now = Instant::now();
                match state.not_before.filter(|at| *at > now) {
                    Some(at) => Some(at),
                    None if state.admits(needs) => {
                        *state.count(needs) += 1;
                        return Lane(self, needs);
                    }
                    None => None,
                }
            };
            match wait {
                Some(at) => sleep_until(at).await,
                None => freed.await,
            }
        }
    }

    fn speed_up(&self, latency: Duration) {
        let mut state = self.state();
        let least = state.least_latency.map_or(latency, |least| least.min(latency));
        state.least_latency = Some(least);
        let is_full = f64::from(state.plain + state.fed) + 2.0 >= state.allowed;
        if is_full && latency <= least * SLOWER + JITTER && state.allowed < f64::from(self.lanes.most) {
            state.allowed = (state.allowed + 1.0 / state.allowed).min(f64::from(self.lanes.most));
            drop(state);
            self.freed.notify_waiters();
        }
    }

    /// Answers to requests that were sent before the last slowing tell nothing new.
    fn slow_down(&self, sent: Instant) {
        let mut state = self.state();
        if state.slowed_at.is_none_or(|at| sent > at) {
            state.allowed = (state.allowed / 2.0).max(1.0);
            state.slowed_at = Some(Instant::now());
        }
    }

    fn hold_until(&self, at: Instant) {
        let mut state = self.state();
        state.not_before = Some(state.not_before.map_or(at, |before| before.max(at)));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Full jitter: anything up to the pause of this attempt, so that those who were refused together do not return
/// together.
fn pause(attempt: u32) -> Duration {
    let most = PAUSE.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
    let mut random = [0; 4];
    // Without randomness the longest pause is as good.
    match getrandom::fill(&mut random) {
        Ok(()) => most.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX)),
        Err(_) => most,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn error(code: Code) -> Refusal {
        Error::new(code, "ask", "the server").into()
    }

    fn traffic(first: u32, most: u32) -> Traffic {
        Traffic::new(Lanes { first, most })
    }

    #[tokio::test(start_paused = true)]
    async fn requests_rise_one_by_one_and_halve_when_throttled() {
        let traffic = traffic(2, 4);
        let peak = AtomicU32::new(0);
        let now = AtomicU32::new(0);
        let ask = || {
            traffic.send(Repeat::Safe, || async {
                peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                sleep(Duration::from_millis(5)).await;
                now.fetch_sub(1, Ordering::Relaxed);
                Ok::<_, Refusal>(())
            })
        };
        futures_util::future::join_all((0..2).map(|_| ask())).await;
        assert_eq!(peak.load(Ordering::Relaxed), 2);
        futures_util::future::join_all((0..200).map(|_| ask())).await;
        assert_eq!(peak.load(Ordering::Relaxed), 4);
        traffic.slow_down(Instant::now() + Duration::from_secs(1));
        assert!((traffic.state().allowed - 2.0).abs() < 0.01);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_for_time_gets_exactly_that_from_all() {
        let traffic = traffic(4, 4);
        let begun = Instant::now();
        let mut refused = false;
        traffic
            .send(Repeat::Refused, || {
                let first = !std::mem::replace(&mut refused, true);
                async move {
                    if first {
                        let after = Some(Duration::from_secs(7));
                        return Err(Refusal { after, ..error(Code::Throttled) });
                    }
                    Ok(())
                }
            })
            .await
            .unwrap();
        assert_eq!(begun.elapsed().as_secs(), 7);
        traffic.hold_until(Instant::now() + Duration::from_secs(3));
        traffic.send(Repeat::Safe, || async { Ok::<_, Refusal>(()) }).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_done_is_not_done_again() {
        for (code, repeat, expected) in [
            (Code::Timeout, Repeat::Refused, 1),
            (Code::Offline, Repeat::Refused, 1),
            (Code::Throttled, Repeat::Refused, ATTEMPTS),
            (Code::Timeout, Repeat::Safe, ATTEMPTS),
            (Code::Permission, Repeat::Safe, 1),
            (Code::Auth, Repeat::Safe, 1),
        ] {
            let traffic = traffic(1, 1);
            let count = AtomicU32::new(0);
            let answer = traffic.send(repeat, || async {
                count.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(error(code))
            });
            assert_eq!(answer.await.unwrap_err().code(), code);
            assert_eq!(count.load(Ordering::Relaxed), expected, "{code:?} {repeat:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_dropped_frees_its_lane() {
        let traffic = traffic(1, 1);
        let never = traffic.send(Repeat::Safe, std::future::pending::<std::result::Result<(), Refusal>>);
        assert!(tokio::time::timeout(Duration::from_secs(1), never).await.is_err());
        traffic.send(Repeat::Safe, || async { Ok::<_, Refusal>(()) }).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_bring_what_others_send_are_never_kept_out_by_them() {
        for most in [1, 2, 5] {
            let traffic = traffic(most, most);
            let peak = AtomicU32::new(0);
            let now = AtomicU32::new(0);
            let one = || async {
                let bring = || async {
                    sleep(Duration::from_millis(5)).await;
                    Ok::<_, Refusal>(())
                };
                let send = || async {
                    peak.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    traffic.send(Repeat::Safe, bring).await?;
                    traffic.send(Repeat::Safe, bring).await?;
                    now.fetch_sub(1, Ordering::Relaxed);
                    Ok::<_, Refusal>(())
                };
                traffic.send_fed(Repeat::Safe, send).await
            };
            let all = futures_util::future::join_all((0..50).map(|_| one()));
            let all = tokio::time::timeout(Duration::from_secs(60), all).await.expect("nobody waits for ever");
            assert!(all.iter().all(Result::is_ok));
            let peak = peak.load(Ordering::Relaxed);
            assert!((1..=(most - 1).max(1)).contains(&peak), "{peak} of {most} lanes");
        }
    }

    #[test]
    fn a_server_has_one_traffic_in_the_process() {
        let lanes = Lanes { first: 1, most: 2 };
        let one = Traffic::to("test://one", lanes);
        assert!(Arc::ptr_eq(&one, &Traffic::to("test://one", lanes)));
        assert!(!Arc::ptr_eq(&one, &Traffic::to("test://two", lanes)));
    }
}
