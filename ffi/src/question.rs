//! Questions to a host: asked by the engine, pulled and answered by the host, in any order and from any thread.
//!
//! What always holds: a question is answered once, by the host, by its deadline, or by the end of the desk; an answer to a
//! question that nobody waits for any more is `not_found`; a host that gives up pulling loses no question.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portbook::{Code, Error};
use tokio::sync::{mpsc, oneshot};

use crate::ready::Ready;
use crate::records::ErrorCode;

/// Where questions wait for the host. `A` is what answers them, `B` the bytes that go along with them.
pub(crate) struct Desk<Q, A, B> {
    state: Mutex<State<Q, A, B>>,
    asked: tokio::sync::Mutex<mpsc::UnboundedReceiver<(i64, Q)>>,
    /// Questions that were waited for and not taken yet.
    ready: Ready<(i64, Q)>,
    timeout: Duration,
}

struct State<Q, A, B> {
    /// None once the desk has ended.
    send: Option<mpsc::UnboundedSender<(i64, Q)>>,
    open: HashMap<i64, Open<A, B>>,
    last: i64,
}

struct Open<A, B> {
    answer: oneshot::Sender<portbook::Result<A>>,
    bytes: B,
}

/// A question that somebody waits for; it is withdrawn when this is dropped.
struct Waits<'a, Q, A, B> {
    desk: &'a Desk<Q, A, B>,
    id: i64,
}

impl<Q, A, B> Drop for Waits<'_, Q, A, B> {
    fn drop(&mut self) {
        self.desk.state().open.remove(&self.id);
    }
}

impl<Q: Send, A: Send, B: Clone + Send> Desk<Q, A, B> {
    pub(crate) fn new(timeout: Duration) -> Self {
        let (send, receive) = mpsc::unbounded_channel();
        let state = State { send: Some(send), open: HashMap::new(), last: 0 };
        Self { state: Mutex::new(state), asked: tokio::sync::Mutex::new(receive), ready: Ready::new(), timeout }
    }

    /// Asks, with bytes that go along, and waits for the answer. On a tokio runtime.
    ///
    /// # Errors
    /// The host's; `timeout` when it does not answer; `host` when it does not any more.
    pub(crate) async fn ask(&self, question: impl FnOnce(i64) -> Q + Send, bytes: B) -> portbook::Result<A> {
        let (answer, answered) = oneshot::channel();
        let waits = {
            let mut state = self.state();
            state.last += 1;
            let id = state.last;
            let Some(send) = &state.send else { return Err(gone()) };
            // The receiver is part of the desk.
            let _ = send.send((id, question(id)));
            state.open.insert(id, Open { answer, bytes });
            Waits { desk: self, id }
        };
        let answer = tokio::time::timeout(self.timeout, answered).await;
        drop(waits);
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err(Error::new(Code::Timeout, "ask the host", "")
                .because(format!("it did not answer within {} ms", self.timeout.as_millis()))),
        }
    }

    /// The next question that somebody waits for; none once the desk has ended.
    pub(crate) async fn next(&self) -> Option<Q> {
        while self.is_ready().await {
            if let Some(question) = self.take() {
                return Some(question);
            }
        }
        None
    }

    /// Waits until there is a question; false once the desk has ended.
    pub(crate) async fn is_ready(&self) -> bool {
        let mut asked = self.asked.lock().await;
        if self.ready.is_empty() {
            self.ready.put(asked.recv().await);
        }
        !self.ready.is_empty()
    }

    /// The question that was waited for; none when another has taken it, or nobody waits for its answer any more.
    pub(crate) fn take(&self) -> Option<Q> {
        loop {
            let (id, question) = self.ready.take()?;
            if self.state().open.contains_key(&id) {
                return Some(question);
            }
        }
    }

    /// The bytes that go along with a question.
    ///
    /// # Errors
    /// `not_found` when nobody waits for its answer.
    pub(crate) fn bytes(&self, id: i64) -> portbook::Result<B> {
        self.state().open.get(&id).map(|open| open.bytes.clone()).ok_or_else(|| nobody(id))
    }

    /// Answers a question.
    ///
    /// # Errors
    /// `not_found` when nobody waits for its answer.
    pub(crate) fn answer(&self, id: i64, answer: portbook::Result<A>) -> portbook::Result<()> {
        let open = self.state().open.remove(&id).ok_or_else(|| nobody(id))?;
        open.answer.send(answer).map_err(|_| nobody(id))
    }

    /// Ends it: nobody is asked any more, and nobody waits.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.send = None;
        state.open.clear();
    }
}

impl<Q, A, B> Desk<Q, A, B> {
    fn state(&self) -> MutexGuard<'_, State<Q, A, B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The code of what a host failed by: `host` unless it gives another. `internal` tells of a defect of this library, where the host
/// has one, or passes on that of another book.
pub(crate) fn code_of_host(given: Option<ErrorCode>) -> Code {
    match given.map_or(Code::Host, Into::into) {
        Code::Internal => Code::Host,
        code => code,
    }
}

fn gone() -> Error {
    Error::new(Code::Host, "ask the host", "").because("it does not answer any more")
}

fn nobody(id: i64) -> Error {
    Error::new(Code::NotFound, "answer the request", id)
        .because("nobody waits for it")
        .advise("answer each request once, and in time")
}
