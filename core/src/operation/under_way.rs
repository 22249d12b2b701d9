//! The runs of this process that are under way in a book, so that a host that ends can end them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::run::Control;

/// The runs under way.
#[derive(Default)]
pub(crate) struct UnderWay {
    runs: Mutex<Vec<Arc<Control>>>,
    one_ended: Notify,
}

/// A run under way, until this is dropped.
pub(crate) struct Begun {
    among: Arc<UnderWay>,
    run: Arc<Control>,
}

impl UnderWay {
    pub(crate) fn begin(self: &Arc<Self>, run: Arc<Control>) -> Begun {
        self.runs().push(run.clone());
        Begun { among: self.clone(), run }
    }

    /// Cancels all and waits until the last has written its end.
    pub(crate) async fn end(&self) {
        loop {
            let mut news = std::pin::pin!(self.one_ended.notified());
            news.as_mut().enable();
            {
                let runs = self.runs();
                if runs.is_empty() {
                    return;
                }
                runs.iter().for_each(|run| run.cancel());
            }
            news.await;
        }
    }

    fn runs(&self) -> MutexGuard<'_, Vec<Arc<Control>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.among.runs().retain(|run| !Arc::ptr_eq(run, &self.run));
        self.among.one_ended.notify_waiters();
    }
}
