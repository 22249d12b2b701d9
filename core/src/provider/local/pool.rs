//! A few threads for the calls that block, so that a batch costs one hand-over and not one task per file.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::error::{Code, Error, Result};
use crate::provider::Listing;

/// What a thread keeps between jobs: the buffer that small files pass through.
pub(super) struct Scratch {
    pub(super) buf: Vec<u8>,
}

type Work = Box<dyn FnOnce(&mut Scratch) + Send>;

/// The threads end when the pool is dropped, after the work that they have begun.
pub(super) struct Pool {
    jobs: Sender<Work>,
    threads: usize,
}

/// What an item's answer is when its job was lost, which only a defect can do.
pub(super) trait Answer: Send + 'static {
    fn lost() -> Self;
}

fn lost() -> Error {
    Error::new(Code::Internal, "finish the work on a file", "").because("its thread stopped")
}

impl<T: Send + 'static> Answer for Result<T> {
    fn lost() -> Self {
        Err(lost())
    }
}

impl Answer for Listing {
    fn lost() -> Self {
        Listing::Unknown(lost())
    }
}

impl Pool {
    pub(super) fn start(threads: usize) -> Result<Self> {
        let (jobs, queue) = channel::<Work>();
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            let run = move || {
                let mut scratch = Scratch { buf: Vec::new() };
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(work) = next else { return };
                    // A panic loses the job's answer, which its caller sees, and leaves the thread to the others.
                    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&mut scratch)));
                    if outcome.is_err() {
                        scratch = Scratch { buf: Vec::new() };
                    }
                }
            };
            thread::Builder::new()
                .name("portbook-local".into())
                .spawn(run)
                .map_err(|e| Error::io("start a thread for", "local files", e))?;
        }
        Ok(Self { jobs, threads })
    }

    fn submit<R: Send + 'static>(&self, work: impl FnOnce(&mut Scratch) -> R + Send + 'static) -> oneshot::Receiver<R> {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move |scratch: &mut Scratch| {
            // Nobody listens any more when the caller was dropped; the work is complete all the same.
            let _ = answer.send(work(scratch));
        });
        // A send that fails drops the answer's sender, and the caller sees that.
        let _ = self.jobs.send(work);
        answered
    }

    /// Does one piece of work on a thread of the pool.
    pub(super) async fn run<R: Answer>(&self, work: impl FnOnce(&mut Scratch) -> R + Send + 'static) -> R {
        self.submit(work).await.unwrap_or_else(|_| R::lost())
    }

    /// Spreads a batch over the threads in runs of neighbours, which mostly lie in one directory. `work` answers one
    /// result per item in their order; so does this.
    pub(super) async fn spread<T, R>(
        &self,
        items: Vec<T>,
        work: impl Fn(&mut Scratch, Vec<T>) -> Vec<R> + Send + Sync + 'static,
    ) -> Vec<R>
    where
        T: Send + 'static,
        R: Answer,
    {
        let total = items.len();
        let run = total.div_ceil(self.threads * 4).clamp(1, 64);
        let work = Arc::new(work);
        let mut parts = Vec::with_capacity(total.div_ceil(run));
        let mut items = items.into_iter();
        loop {
            let part: Vec<T> = items.by_ref().take(run).collect();
            if part.is_empty() {
                break;
            }
            let (count, work) = (part.len(), Arc::clone(&work));
            parts.push((count, self.submit(move |scratch| work(scratch, part))));
        }
        let mut answers = Vec::with_capacity(total);
        for (count, part) in parts {
            match part.await {
                Ok(part) => answers.extend(part),
                Err(_) => answers.extend(std::iter::repeat_with(R::lost).take(count)),
            }
        }
        answers
    }
}
