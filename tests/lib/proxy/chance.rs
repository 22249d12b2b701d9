//! What happens to connections and requests.

use std::time::Duration;

/// A generator of numbers (splitmix64).
pub(super) struct Chance(pub(super) u64);

/// What becomes of a connection, after so many bytes of one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) after: u64,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Reset,
    /// It ends as if nothing more were to come; what the sender still sends goes nowhere.
    Truncated,
    Stall(Duration),
    /// From the beginning: a pause after each piece.
    Slow(Duration),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// It does not reach the server, which asks to wait so many seconds, if it says anything of it.
    Refused {
        status: u16,
        seconds: Option<u8>,
    },
    /// The connection breaks after so many bytes of the request's body.
    Broken {
        after: u64,
    },
    /// The server acts on it, and nobody hears of it.
    Lost,
    /// The server acts on it, and a gateway says that it does not know.
    Unknown {
        status: u16,
    },
    /// The connection ends after so many bytes of the answer's body.
    Cut {
        after: u64,
        is_reset: bool,
    },
    Late(Duration),
    /// A pause after each piece of the answer.
    Slow(Duration),
}

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A few bytes, or many: every order of magnitude up to the most is as likely.
    fn size(&mut self, most: u64) -> u64 {
        let bits = u64::from(64 - most.leading_zeros());
        let bits = self.below(bits + 1);
        self.below(1 << bits)
    }

    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(1 + self.below(most))
    }

    /// Of a connection that lives long: it passes `most` bytes at most before something happens.
    pub(super) fn long(&mut self, most: u64) -> Option<(&'static str, Fate)> {
        // One in eight dies young: while it is set up.
        let after = match self.below(8) {
            0 => self.below(8 << 10),
            other => (8 << 10) + self.below(most >> (other % 4 * 2)),
        };
        Some(self.fate(after))
    }

    /// Of a connection that serves once.
    pub(super) fn short(&mut self) -> Option<(&'static str, Fate)> {
        (self.below(25) == 0).then(|| {
            let after = self.size(1 << 23);
            self.fate(after)
        })
    }

    fn fate(&mut self, after: u64) -> (&'static str, Fate) {
        let (name, end) = match self.below(8) {
            0..=2 => ("reset", End::Reset),
            3..=5 => ("truncated", End::Truncated),
            6 => ("stalled", End::Stall(self.millis(400))),
            _ => ("slow", End::Slow(self.millis(8))),
        };
        (name, Fate { after, end })
    }

    /// Of a request: one in 25.
    pub(super) fn request(&mut self) -> Option<(&'static str, Turn)> {
        if self.below(25) > 0 {
            return None;
        }
        Some(match self.below(10) {
            0 => {
                let seconds = [None, Some(0), Some(0), Some(1)][self.below(4) as usize];
                ("429 or 503", Turn::Refused { status: [429, 503][self.below(2) as usize], seconds })
            }
            1 => ("500", Turn::Refused { status: 500, seconds: None }),
            2 | 3 => ("request broken", Turn::Broken { after: self.size(1 << 23) }),
            4 => ("answer lost", Turn::Lost),
            5 => ("502 or 504 after acting", Turn::Unknown { status: [502, 504][self.below(2) as usize] }),
            6 | 7 => {
                let is_reset = self.below(2) == 0;
                ("answer cut", Turn::Cut { after: self.size(1 << 23), is_reset })
            }
            8 => ("late", Turn::Late(self.millis(400))),
            _ => ("slow", Turn::Slow(self.millis(8))),
        })
    }
}
