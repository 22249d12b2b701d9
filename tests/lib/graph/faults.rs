//! What goes wrong because a test says so.

use std::time::Duration;

use super::Shared;
use super::wire::Asked;

/// One thing that goes wrong with one request.
pub enum Fault {
    /// The connection ends before anything is done.
    LostBefore,
    /// It is done, and then the connection ends.
    LostAfter,
    /// Nothing is done, and this status says so, with seconds in `Retry-After`.
    Before { status: u16, retry_after: Option<u64> },
    /// It is done, and this status says that it is not.
    After { status: u16, retry_after: Option<u64> },
    /// The request waits so long.
    Slow(Duration),
    /// Somebody else does something before the request is looked at.
    Meanwhile(Box<dyn FnOnce(&Shared) + Send>),
}

type Draw = Box<dyn FnMut(&Asked) -> Option<Fault> + Send>;

/// What waits for requests.
#[derive(Default)]
pub struct Faults {
    rules: Vec<Rule>,
    draw: Option<Draw>,
}

struct Rule {
    method: String,
    path: String,
    skip: usize,
    fault: Fault,
}

impl Shared {
    /// Lies in wait for the next request of this method (any: `""`) with this in its path. Requests that are already lain in
    /// wait for do not count, so that the same call twice is about two requests.
    pub fn fail(&self, method: &str, path: &str, fault: Fault) {
        self.fail_after(0, method, path, fault);
    }

    /// As [`Shared::fail`], but so many requests pass before.
    pub fn fail_after(&self, skip: usize, method: &str, path: &str, fault: Fault) {
        let rule = Rule { method: method.to_owned(), path: path.to_owned(), skip, fault };
        self.faults().rules.push(rule);
    }

    /// Asks of every request what goes wrong with it, unless one lies in wait for it. What is asked must not call the server.
    pub fn draw(&self, draw: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) {
        self.faults().draw = Some(Box::new(draw));
    }

    /// From now on all is well.
    pub fn calm(&self) {
        *self.faults() = Faults::default();
    }

    /// How many requests are still waited for.
    pub fn pending_faults(&self) -> usize {
        self.faults().rules.len()
    }
}

impl Faults {
    /// What goes wrong with this request.
    pub fn take(&mut self, asked: &Asked) -> Option<Fault> {
        for at in 0..self.rules.len() {
            let rule = &mut self.rules[at];
            let is_meant =
                (rule.method.is_empty() || asked.method == rule.method.as_str()) && asked.path.contains(&rule.path);
            if !is_meant {
                continue;
            }
            if rule.skip == 0 {
                return Some(self.rules.remove(at).fault);
            }
            rule.skip -= 1;
        }
        self.draw.as_mut()?(asked)
    }
}
