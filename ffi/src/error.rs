//! One error for every language. The code is the contract; the text is for people.

use std::fmt;

use portbook::{Class, Code, Error};
use serde::{Deserialize, Serialize};

use crate::records::ErrorCode;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, PortbookError>;

/// What an error says beside its code.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    text: String,
    advice: &'static str,
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

macro_rules! errors {
    ($($(#[$doc:meta])* $variant:ident)*) => {
        /// A failure. Each variant is a code.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "uniffi", derive(uniffi::Error), uniffi(flat_error))]
        pub enum PortbookError { $(
            $(#[$doc])*
            $variant(Words),
        )* }

        impl PortbookError {
            fn new(code: ErrorCode, words: Words) -> Self {
                match code { $(ErrorCode::$variant => Self::$variant(words),)* }
            }

            /// The code.
            #[must_use]
            pub fn code(&self) -> ErrorCode {
                match self { $(Self::$variant(_) => ErrorCode::$variant,)* }
            }

            fn words(&self) -> &Words {
                match self { $(Self::$variant(words) => words,)* }
            }
        }

        impl From<ErrorCode> for Code {
            fn from(code: ErrorCode) -> Self {
                match code { $(ErrorCode::$variant => Self::$variant,)* }
            }
        }
    };
}

errors! {
    /// An argument or a configuration cannot be used as it stands.
    Invalid
    /// What was named does not exist, or not for this tenant.
    NotFound
    /// Both sides changed and no policy decides, or a row was changed by someone else meanwhile.
    Conflict
    /// The state that was previewed has moved on.
    Stale
    /// A guard stopped the run before it did anything.
    Guard
    /// The other side does not accept the credentials.
    Auth
    /// The credentials are good and do not allow this.
    Permission
    /// No space or no quota is left.
    Quota
    /// The other side asks for a slower pace.
    Throttled
    /// The other side cannot be reached.
    Offline
    /// The other side did not answer in time; whether it acted is unknown.
    Timeout
    /// The place cannot do what was asked.
    Unsupported
    /// Another run holds what this one needs.
    Busy
    /// The book was written by a newer version.
    Newer
    /// The book or a file in it does not hold together.
    Corrupt
    /// The key does not open what it should.
    WrongKey
    /// Reading or writing a place or the book failed.
    Storage
    /// The host's own code failed.
    Host
    /// The call was cancelled.
    Cancelled
    /// A defect of this library.
    Internal
}

impl PortbookError {
    /// What was being done, to what, what came back, and what to do.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.words().text
    }

    /// What the user can do; empty when there is nothing to say. The text has it, too.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        self.words().advice
    }

    /// What the code asks of whoever sees it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        Code::from(self.code()).class().into()
    }

    /// Whether the same call may succeed later as it stands.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        Code::from(self.code()).is_retryable()
    }
}

impl fmt::Display for PortbookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for PortbookError {}

impl From<Error> for PortbookError {
    fn from(error: Error) -> Self {
        Self::new(error.code().into(), Words { text: error.to_string(), advice: error.advice() })
    }
}

/// What a code asks of whoever sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "node", napi_derive::napi(string_enum = "snake_case"))]
#[cfg_attr(
    feature = "python",
    pyo3::pyclass(frozen, eq, hash, from_py_object, rename_all = "SCREAMING_SNAKE_CASE", module = "portbook")
)]
pub enum ErrorClass {
    /// The call or the configuration has to be another one.
    Usage,
    /// Something stands otherwise than the call takes it to: look again, decide, or wait.
    State,
    /// Somebody is not let in.
    Access,
    /// There is no more room.
    Room,
    /// The line or the other side's pace: the same call may succeed later.
    Line,
    /// What is stored cannot be read or written.
    Storage,
    /// The host's own code failed.
    Host,
    /// Somebody wanted it so.
    Cancelled,
    /// A defect of this library.
    Defect,
}

/// A row of the table of codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "node", napi_derive::napi(object))]
#[cfg_attr(feature = "python", pyo3::pyclass(frozen, get_all, eq, from_py_object, module = "portbook"))]
pub struct CodeInfo {
    /// The code.
    pub code: ErrorCode,
    /// Its text, in every language.
    pub text: String,
    /// Its number, in C.
    pub number: i64,
    /// What it asks of whoever sees it.
    pub class: ErrorClass,
    /// Whether the same call may succeed later as it stands.
    pub is_retryable: bool,
    /// The exit status of the command line.
    pub exit_status: i64,
}

crate::records::same_words!(ErrorClass = Class { Usage, State, Access, Room, Line, Storage, Host, Cancelled, Defect });

/// Every code, in the order of its number.
#[must_use]
#[cfg_attr(feature = "uniffi", uniffi::export)]
pub fn codes() -> Vec<CodeInfo> {
    let info = |code: &Code| CodeInfo {
        code: (*code).into(),
        text: code.as_str().to_owned(),
        number: *code as i64,
        class: code.class().into(),
        is_retryable: code.is_retryable(),
        exit_status: code.exit_status().into(),
    };
    Code::ALL.iter().map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_core_has_its_own_here() {
        for code in Code::ALL {
            let error = PortbookError::from(Error::new(*code, "try", "it").because("so").advise("do not"));
            assert_eq!(Code::from(error.code()), *code, "{}", code.as_str());
            assert_eq!(serde_json::to_value(error.code()).unwrap(), code.as_str());
            assert_eq!(error.is_retryable(), code.is_retryable());
            assert_eq!(serde_json::to_value(error.class()).unwrap(), code.class().as_str());
            assert_eq!((error.text(), error.advice()), ("could not try it: so (do not)", "do not"));
        }
        assert_eq!(codes().len(), Code::ALL.len());
    }

    #[test]
    fn the_documented_table_is_that_of_the_codes() {
        let readme = include_str!("../README.md");
        for info in codes() {
            let class = serde_json::to_value(info.class).unwrap();
            let retryable = if info.is_retryable { "yes " } else { "" };
            let row = format!("| `{}` | {} | {} | {retryable}| ", info.text, info.number, class.as_str().unwrap());
            assert!(readme.contains(&row), "{row}");
        }
    }
}
