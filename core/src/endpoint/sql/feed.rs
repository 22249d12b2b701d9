//! Pages that one task or thread makes and another takes.
//!
//! What always holds: a stream ends well only when whoever fills it said so. A reader that stops in any other way, and a
//! server that goes away, is an error and never a short result.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::endpoint::{ChangePage, ChangeStream, ChangesEnd, Page, RowStream};
use crate::error::{Code, Error, Result};

/// Pages that wait to be taken, beside the one that is being made.
const AHEAD: usize = 2;

/// What comes of a reader.
pub(in crate::endpoint) enum Fed<P, E> {
    /// A page.
    Page(P),
    /// Everything was given.
    End(E),
}

/// Where pages are put. With several of them the stream ends when each has ended.
pub(in crate::endpoint) type Feeder<P, E> = Sender<Result<Fed<P, E>>>;

/// Pages of a scan, or of changes.
pub(in crate::endpoint) struct Feed<P, E> {
    pages: Receiver<Result<Fed<P, E>>>,
    readers: usize,
    end: Option<E>,
    patience: Option<Duration>,
}

/// A stream of that many readers. A reader that gives nothing for as long as the patience lasts is given up.
pub(in crate::endpoint) fn feed<P, E>(readers: usize, patience: Option<Duration>) -> (Feeder<P, E>, Feed<P, E>) {
    let (feeder, pages) = channel(AHEAD * readers.max(1));
    (feeder, Feed { pages, readers: readers.max(1), end: None, patience })
}

impl<P, E> Feed<P, E> {
    async fn take(&mut self) -> Result<Option<P>> {
        while self.readers > 0 {
            let fed = match self.patience {
                Some(patience) => tokio::time::timeout(patience, self.pages.recv()).await.map_err(|_| {
                    Error::new(Code::Timeout, "read rows", "").because(format!("nothing came for {patience:?}"))
                }),
                None => Ok(self.pages.recv().await),
            };
            match fed.and_then(|fed| fed.unwrap_or_else(|| Err(stopped()))) {
                Ok(Fed::Page(page)) => return Ok(Some(page)),
                Ok(Fed::End(end)) => {
                    self.readers -= 1;
                    self.end = Some(end);
                }
                Err(error) => {
                    // Whatever the other readers give would not be everything.
                    self.pages.close();
                    while self.pages.try_recv().is_ok() {}
                    self.readers = usize::MAX;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }
}

fn stopped() -> Error {
    Error::new(Code::Storage, "read rows", "").because("its reader stopped before the end")
}

#[async_trait]
impl RowStream for Feed<Page, ()> {
    async fn next(&mut self) -> Result<Option<Page>> {
        self.take().await
    }
}

#[async_trait]
impl ChangeStream for Feed<ChangePage, ChangesEnd> {
    async fn next(&mut self) -> Result<Option<ChangePage>> {
        self.take().await
    }

    fn end(&self) -> Result<ChangesEnd> {
        let early = || Error::new(Code::Internal, "end a reading of changes", "").because("not all were taken");
        self.end.clone().filter(|_| self.readers == 0).ok_or_else(early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_stops_is_no_end() {
        pollster::block_on(async {
            let (feeder, mut pages) = feed::<Page, ()>(2, None);
            feeder.send(Ok(Fed::Page(Page::default()))).await.unwrap();
            feeder.send(Ok(Fed::End(()))).await.unwrap();
            drop(feeder);
            assert!(pages.next().await.unwrap().is_some());
            assert!(pages.next().await.is_err(), "the second reader said nothing");
            assert!(pages.next().await.is_err(), "and it does not come to a good end later");
        });
    }
}
