//! Enumerations that the book stores as text.

use crate::{Code, Error, Result};

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
            pub fn parse(text: &str) -> $crate::Result<Self> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err($crate::Error::new($crate::Code::Invalid, concat!("read the ", stringify!($name)), text)),
                }
            }
        }

        impl $crate::model::Column for $name {
            const KIND: $crate::model::ValueKind = $crate::model::ValueKind::Text;
            const WORDS: &'static [&'static str] = &[$($text,)*];

            fn read(row: $crate::model::Row<'_>, column: usize) -> $crate::Result<Self> {
                $crate::model::text_enum::stored(row.text(column)?, Self::parse)
            }

            fn value(&self) -> $crate::model::Value { $crate::model::Value::Text(self.as_str().to_owned()) }
        }
    };
}
pub(crate) use text_enum;

/// A stored text that its type refuses is damage, not a wrong argument.
pub(crate) fn stored<T>(text: &str, parse: impl Fn(&str) -> Result<T>) -> Result<T> {
    parse(text).map_err(|e| Error::new(Code::Corrupt, "read a row of the book", "").because(e))
}
