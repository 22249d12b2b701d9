//! What a small world looks like to the oracle: each side as it really is and as it can be seen, what was agreed on, and
//! what must be there afterwards.

use std::collections::{BTreeMap, BTreeSet};

use portbook::model::{ConflictPolicy, Kind, Side, Sides, SyncMode};

/// An item as it really is on a side, and what can be seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Absent,
    /// A file or link; `unhashable`: its content cannot be read by the scan; `touched`: with a time of its own.
    Leaf {
        kind: Kind,
        content: String,
        unhashable: bool,
        touched: bool,
    },
    /// `sealed`: it cannot be listed.
    Dir {
        children: BTreeMap<&'static str, Seen>,
        sealed: bool,
    },
    /// Something that the listing does not show, although it may be there.
    Unlisted(Box<Seen>),
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    Absent,
    Leaf { kind: Kind, content: String },
    Dir(BTreeMap<&'static str, Base>),
}

/// What the result depends on beside the trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    pub mode: SyncMode,
    pub exact: bool,
    pub policy: ConflictPolicy,
    /// The side that changed later, as far as that can be told; for *latest wins*.
    pub later: Option<Side>,
    /// Left out by the filter: of each name nothing, everything, or only directories. `x` always is.
    pub excluded: [Filtered; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filtered {
    No,
    Yes,
    Dirs,
}

impl Rules {
    pub fn excludes(&self, name: &str, is_dir: bool) -> bool {
        let filtered = match name {
            "n" => self.excluded[0],
            "m" => self.excluded[1],
            "x" => Filtered::Yes,
            _ => Filtered::No,
        };
        filtered == Filtered::Yes || (filtered == Filtered::Dirs && is_dir)
    }

    pub fn winner(&self) -> Option<Side> {
        match self.policy {
            ConflictPolicy::SourceWins => Some(Side::Left),
            ConflictPolicy::DestinationWins => Some(Side::Right),
            ConflictPolicy::LatestWins | ConflictPolicy::KeepBoth => None,
        }
    }
}

/// A kind and a content; of directories the empty one.
pub type Shape = BTreeMap<String, (Kind, String)>;

/// What must hold after the plan was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub trees: Sides<Shape>,
    pub rows: BTreeSet<String>,
    /// What went to a trash or an archive, sorted.
    pub trash: Vec<String>,
    pub new: u64,
    pub updated: u64,
    pub deleted: u64,
    pub conflicts: u64,
    /// Something was left alone and that is said.
    pub left_alone: bool,
}

pub const STAMP: &str = "2026-11-21 064500";

impl Seen {
    pub fn leaf(kind: Kind, content: String) -> Self {
        Self::Leaf { kind, content, unhashable: false, touched: false }
    }

    pub fn is_dir(&self) -> bool {
        matches!(self, Self::Dir { .. })
    }

    pub fn count_beneath(&self) -> u64 {
        match self {
            Self::Dir { children, .. } => children.values().map(|c| 1 + c.count_beneath()).sum(),
            Self::Absent | Self::Leaf { .. } | Self::Unlisted(_) => 0,
        }
    }

    pub fn child(&self, name: &str) -> &Seen {
        match self {
            Self::Dir { children, .. } => children.get(name).unwrap_or(&Seen::Absent),
            Self::Absent | Self::Leaf { .. } | Self::Unlisted(_) => &Seen::Absent,
        }
    }
}

impl Base {
    pub fn child(&self, name: &str) -> &Base {
        match self {
            Self::Dir(children) => children.get(name).unwrap_or(&Base::Absent),
            Self::Absent | Self::Leaf { .. } => &Base::Absent,
        }
    }

    pub fn equals(&self, seen: &Seen) -> bool {
        match (self, seen) {
            (Self::Absent, Seen::Absent) => true,
            (Self::Leaf { kind, content }, Seen::Leaf { kind: k, content: c, .. }) => kind == k && content == c,
            (Self::Dir(base), Seen::Dir { children, sealed }) => {
                !sealed && base.len() == children.len() && children.iter().all(|(n, c)| self.child(n).equals(c))
            }
            _ => false,
        }
    }
}

impl Base {
    /// Nothing in the directory was added or changed, and everything can be seen; something may have gone.
    pub fn holds_all_of(&self, seen: &Seen) -> bool {
        match seen {
            Seen::Dir { children, sealed } => {
                !sealed && matches!(self, Self::Dir(_)) && children.iter().all(|(n, c)| self.child(n).holds_all_of(c))
            }
            Seen::Absent | Seen::Leaf { .. } | Seen::Unlisted(_) => self.equals(seen),
        }
    }
}

impl Expected {
    /// The side keeps what it has there.
    pub fn keep(&mut self, side: Side, at: &str, seen: &Seen) {
        match seen {
            Seen::Absent => {}
            Seen::Leaf { kind, content, .. } => {
                self.trees[side].insert(at.to_owned(), (*kind, content.clone()));
            }
            Seen::Dir { children, .. } => {
                self.trees[side].insert(at.to_owned(), (Kind::Dir, String::new()));
                for (name, child) in children {
                    self.keep(side, &format!("{at}/{name}"), child);
                }
            }
            Seen::Unlisted(real) => self.keep(side, at, real),
        }
    }

    pub fn keep_rows(&mut self, at: &str, base: &Base) {
        if *base == Base::Absent {
            return;
        }
        self.rows.insert(at.to_owned());
        if let Base::Dir(children) = base {
            for (name, child) in children {
                self.keep_rows(&format!("{at}/{name}"), child);
            }
        }
    }

    pub fn both(&mut self, at: &str, kind: Kind, content: &str) {
        for side in Side::BOTH {
            self.trees[side].insert(at.to_owned(), (kind, content.to_owned()));
        }
        self.rows.insert(at.to_owned());
    }

    /// Everything goes to the trash of its side.
    pub fn trash_all(&mut self, seen: &Seen) {
        match seen {
            Seen::Leaf { content, .. } => self.trash.push(content.clone()),
            Seen::Dir { children, .. } => children.values().for_each(|c| self.trash_all(c)),
            Seen::Absent | Seen::Unlisted(_) => {}
        }
    }

    pub fn holds_something(&self, side: Side, at: &str) -> bool {
        self.trees[side].keys().any(|p| p.strip_prefix(at).is_some_and(|rest| rest.starts_with('/')))
    }

    pub fn absorb(&mut self, other: Expected) {
        self.trees.left.extend(other.trees.left);
        self.trees.right.extend(other.trees.right);
        self.rows.extend(other.rows);
        self.trash.extend(other.trash);
        self.left_alone |= other.left_alone;
    }
}
