//! Enumerations of `sync_conduit` and `sync_generation`.

use crate::error::{Code, Error, Result};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value, in the order of the specification.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The text the book stores.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $($name::$variant => $text,)* } }

            /// The value of a stored text.
            ///
            /// # Errors
            /// `invalid` when the text is none of them.
            pub fn parse(text: &str) -> Result<Self> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err(Error::new(Code::Invalid, concat!("read the ", stringify!($name)), text)),
                }
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// What a conduit does (`sync_conduit.sync_mode`).
    SyncMode {
        /// The target is made like the source, deletions included.
        Mirror = "mirror",
        /// Changes flow both ways, three-way merged.
        Bidirectional = "bidirectional",
        /// Rules and pins choose what is held at the target.
        Selective = "selective",
    }
}

text_enum! {
    /// Who wins when both sides changed (`sync_conduit.conflict_policy`).
    ConflictPolicy {
        /// The source's version.
        SourceWins = "source-wins",
        /// The target's version.
        DestinationWins = "destination-wins",
        /// The later change, each measured in its own clock; both where that cannot be told.
        LatestWins = "latest-wins",
        /// Both, the loser under another name.
        KeepBoth = "keep-both",
    }
}

text_enum! {
    /// What a run looks at once more when it is done (`sync_conduit.verify`).
    VerifyMode {
        /// Nothing.
        None = "none",
        /// Kinds and sizes on both sides.
        Size = "size",
        /// The content on both sides, read again.
        Checksum = "checksum",
    }
}
