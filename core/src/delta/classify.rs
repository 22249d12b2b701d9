//! What became of one item on one side since both sides last agreed.
//!
//! A side is compared only with what that same side showed then; times and identifiers never cross sides. Content
//! does, by its hash.

use super::change::Unreadable;
use super::settings::Settings;
use crate::identity::ContentHash;
use crate::model::{Held, Ident, Kind, Node, Pair, Side, Sides, Token};

/// A file or link of one side against the ledger row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Definitely not there.
    Absent,
    /// There, and the ledger does not know it.
    Added,
    /// As it was.
    Same,
    /// The content is as it was; times, permissions or identity are not, or could not prove it.
    Touched,
    /// The content or the kind is another.
    Modified,
    /// Shorter with an unchanged time after an unclean stop: damage, not an edit.
    Suspect,
    /// Nothing can be said, for this reason.
    Unknown(Unreadable),
}

impl State {
    /// Whether the content is the ledger's.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self, Self::Same | Self::Touched)
    }
}

/// The answer to a wanted hash.
pub(super) type Hashed<'a> = Option<&'a Result<ContentHash, Unreadable>>;

/// Classifies what a side shows of a file or link.
pub(super) fn classify(
    settings: &Settings,
    row: Option<&Pair>,
    node: Option<&Node>,
    side: Side,
    hash: Hashed<'_>,
) -> State {
    let Some(node) = node else { return State::Absent };
    if let Some(Err(reason)) = hash {
        return State::Unknown(reason.clone());
    }
    let Some(row) = row else { return State::Added };
    if row.kind != node.kind {
        return State::Modified;
    }
    let held = &row.held[side];
    let equal = is_same_version(held, node);
    if equal && !held.racy && !settings.checksum {
        return State::Same;
    }
    if is_suspect(settings, held, node) {
        return State::Suspect;
    }
    if node.token.size != held.token.size {
        return State::Modified;
    }
    match (row.content, hash) {
        (None, _) => {
            if equal {
                State::Same
            } else {
                State::Modified
            }
        }
        // … or full of zeros where content had not reached the disk.
        (Some(content), Some(Ok(hash))) if content != *hash && has_old_time(settings, held, node) => State::Suspect,
        (Some(content), Some(Ok(hash))) if content != *hash => State::Modified,
        (Some(_), Some(Ok(_))) => {
            if equal && !held.racy {
                State::Same
            } else {
                State::Touched
            }
        }
        (Some(_), Some(Err(reason))) => State::Unknown(reason.clone()),
        (Some(_), None) => State::Unknown("its content was not read".into()),
    }
}

/// Which sides must be hashed before the item can be decided. Both entries, where present, are files or links.
pub(super) fn hashes_wanted(settings: &Settings, row: Option<&Pair>, nodes: Sides<Option<&Node>>) -> Sides<bool> {
    let mut wanted = Sides::new(false, false);
    let mut changed = Sides::new(false, false);
    for side in Side::BOTH {
        let Some(node) = nodes[side] else { continue };
        let Some(row) = row.filter(|row| row.kind == node.kind) else {
            changed[side] = true;
            continue;
        };
        let held = &row.held[side];
        let equal = is_same_version(held, node);
        if (equal && !held.racy && !settings.checksum) || is_suspect(settings, held, node) {
            continue;
        }
        changed[side] = !equal || held.racy;
        wanted[side] = row.content.is_some() && node.token.size == held.token.size;
    }
    if let (Some(left), Some(right)) = (nodes.left, nodes.right)
        && changed.left
        && changed.right
        && left.kind == right.kind
        && left.token.size == right.token.size
    {
        return Sides::new(true, true);
    }
    wanted
}

/// Whether the two hold the same content for certain.
pub(super) fn content_equal(nodes: Sides<Option<&Node>>, hashes: Sides<Hashed<'_>>) -> bool {
    match (nodes.left, nodes.right, hashes.left, hashes.right) {
        (Some(left), Some(right), Some(Ok(l)), Some(Ok(r))) => left.kind == right.kind && l == r,
        _ => false,
    }
}

/// Nothing suggests another content. An item that took the place of another has another identity, even where it was given
/// the same size and time.
pub(super) fn is_same_version(held: &Held, node: &Node) -> bool {
    let replaced = held.ident != Ident::None && node.ident != Ident::None && held.ident != node.ident;
    !replaced && token_equal(&held.token, &node.token)
}

/// The whole version of a file or link; of a directory only the permission bits.
pub(super) fn token_equal(held: &Token, now: &Token) -> bool {
    held.size == now.size
        && held.mtime == now.mtime
        && held.ctime == now.ctime
        && held.mode == now.mode
        && held.revision == now.revision
}

/// Power loss leaves files empty or short with the time they had (rule D2: such a file is never an edit).
fn is_suspect(settings: &Settings, held: &Held, node: &Node) -> bool {
    node.token.size < held.token.size && has_old_time(settings, held, node)
}

/// After an unclean stop: a file that by its time was not written since.
fn has_old_time(settings: &Settings, held: &Held, node: &Node) -> bool {
    settings.unclean_stop
        && node.kind == Kind::File
        && node.token.mtime.is_some()
        && node.token.mtime == held.token.mtime
}
