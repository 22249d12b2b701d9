//! Identifiers of rows: UUID version 7 for new rows, so that they cluster.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
    )*};
}

ids! {
    /// A tenant.
    TenantId;
    /// A conduit's `uuid`.
    ConduitId;
    /// A stored preview.
    PreviewId;
}

impl TenantId {
    /// No tenant but the book itself, under an id that is never drawn: sees the list of tenants, changes the key of their
    /// secrets, and sees no row of a tenant.
    pub const BOOK: Self = Self(Uuid::max());
}

/// A time as the book keeps it: microseconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);
