//! Typed rows and enumerations of every table, one file per spec, and the plain values the engine speaks of.
//! Pure: nothing here does I/O, reads a clock or draws a random number.

mod ids;
mod node;
mod path;
mod sync_conduits;

pub use ids::{ConduitId, PreviewId, TenantId, UserId, VolumeId};
pub use node::{Entry, Held, Ident, Kind, Node, Pair, PairId, Side, Sides, Timestamp, Token};
pub use path::{Name, RelPath};
pub use sync_conduits::{ConflictPolicy, SyncMode, VerifyMode};
