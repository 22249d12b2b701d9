//! One error type with stable codes.
//!
//! A code is the contract: hosts match on it, the CLI turns it into an exit status, and it never changes its
//! meaning. The text is for people: what was being done, to what, what the other side answered, and what to do.

use std::fmt;

/// The result of every fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a [`Code`] asks of whoever sees it. Stable like the codes: a code never changes its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
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

impl Class {
    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::State => "state",
            Self::Access => "access",
            Self::Room => "room",
            Self::Line => "line",
            Self::Storage => "storage",
            Self::Host => "host",
            Self::Cancelled => "cancelled",
            Self::Defect => "defect",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $text:literal, $class:ident, $retryable:literal,
        $exit:literal;)*) => {
        /// What kind of failure an [`Error`] is. Append-only: a code keeps its number and its text for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(i32)]
        pub enum Code { $($(#[$doc])* $variant = $number,)* }

        impl Code {
            /// Every code, in the order of its number.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable text of the code, as hosts see it.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Code::$variant => $text,)* } }

            /// What it asks of whoever sees it.
            #[must_use]
            pub fn class(self) -> Class { match self { $(Code::$variant => Class::$class,)* } }

            /// Whether the same call may succeed later without anything being changed by a person.
            #[must_use]
            pub fn is_retryable(self) -> bool { match self { $(Code::$variant => $retryable,)* } }

            /// The exit status of the command line for this code.
            #[must_use]
            pub fn exit_status(self) -> u8 { match self { $(Code::$variant => $exit,)* } }
        }
    };
}

codes! {
    /// An argument or a configuration cannot be used as it stands.
    Invalid = 1, "invalid", Usage, false, 2;
    /// What was named does not exist, or not for this tenant.
    NotFound = 2, "not_found", State, false, 1;
    /// Both sides changed and no policy decides, or a row was changed by someone else meanwhile.
    Conflict = 3, "conflict", State, false, 1;
    /// The state that was previewed has moved on.
    Stale = 4, "stale", State, false, 1;
    /// A guard stopped the run before it did anything.
    Guard = 5, "guard", State, false, 3;
    /// The other side does not accept the credentials.
    Auth = 6, "auth", Access, false, 1;
    /// The credentials are good and do not allow this.
    Permission = 7, "permission", Access, false, 1;
    /// No space or no quota is left.
    Quota = 8, "quota", Room, false, 1;
    /// The other side asks for a slower pace.
    Throttled = 9, "throttled", Line, true, 1;
    /// The other side cannot be reached.
    Offline = 10, "offline", Line, true, 1;
    /// The other side did not answer in time; whether it acted is unknown.
    Timeout = 11, "timeout", Line, true, 1;
    /// The place cannot do what was asked.
    Unsupported = 12, "unsupported", Usage, false, 1;
    /// Another run holds what this one needs.
    Busy = 13, "busy", State, true, 1;
    /// The book was written by a newer version.
    Newer = 14, "newer", State, false, 1;
    /// The book or a file in it does not hold together.
    Corrupt = 15, "corrupt", Storage, false, 1;
    /// The key does not open what it should.
    WrongKey = 16, "wrong_key", Access, false, 1;
    /// Reading or writing a place or the book failed.
    Storage = 17, "storage", Storage, false, 1;
    /// The host's own code failed.
    Host = 18, "host", Host, false, 1;
    /// The call was cancelled.
    Cancelled = 19, "cancelled", Cancelled, false, 130;
    /// A defect of this library.
    Internal = 20, "internal", Defect, false, 1;
}

/// A failure: a stable [`Code`], what was being done, to what, and what came back.
///
/// ```
/// use portbook::{Code, Error};
/// let error = Error::new(Code::Permission, "list the directory", "photos/2024").because("permission denied");
/// assert_eq!(error.code(), Code::Permission);
/// assert_eq!(error.to_string(), "could not list the directory photos/2024: permission denied");
/// ```
#[derive(Debug, Clone)]
pub struct Error(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    action: &'static str,
    subject: String,
    reason: String,
    advice: &'static str,
    source: Option<std::sync::Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// `action` completes "could not …"; `subject` is what it was done to, already escaped for display.
    #[must_use]
    pub fn new(code: Code, action: &'static str, subject: impl fmt::Display) -> Self {
        Self(Box::new(Parts {
            code,
            action,
            subject: subject.to_string(),
            reason: String::new(),
            advice: "",
            source: None,
        }))
    }

    /// Adds the other side's own words.
    #[must_use]
    pub fn because(mut self, reason: impl fmt::Display) -> Self {
        self.0.reason = reason.to_string();
        self
    }

    /// Adds more words to the reason.
    #[must_use]
    pub(crate) fn and_because(mut self, more: impl fmt::Display) -> Self {
        let reason = &mut self.0.reason;
        *reason = if reason.is_empty() { more.to_string() } else { format!("{reason}; {more}") };
        self
    }

    /// Adds what the user can do about it.
    #[must_use]
    pub fn advise(mut self, advice: &'static str) -> Self {
        self.0.advice = advice;
        self
    }

    /// Keeps the error this one was made from, with its words as the reason.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        if self.0.reason.is_empty() {
            self.0.reason = source.to_string();
        }
        self.0.source = Some(std::sync::Arc::new(source));
        self
    }

    /// An input/output error met while doing `action` to `subject`; the code follows from its kind.
    #[must_use]
    pub fn io(action: &'static str, subject: impl fmt::Display, source: std::io::Error) -> Self {
        let code = code_of_io(&source);
        Self::new(code, action, subject).caused_by(source)
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Whether the same call may succeed later as it stands.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.code.is_retryable()
    }

    /// What the user can do; empty when there is nothing to say.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        self.0.advice
    }
}

fn code_of_io(error: &std::io::Error) -> Code {
    use std::io::ErrorKind as K;
    match error.kind() {
        K::NotFound => Code::NotFound,
        K::PermissionDenied | K::ReadOnlyFilesystem => Code::Permission,
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => Code::Quota,
        K::TimedOut => Code::Timeout,
        K::Unsupported => Code::Unsupported,
        K::InvalidInput | K::InvalidFilename => Code::Invalid,
        _ => Code::Storage,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = &self.0;
        write!(f, "could not {}", p.action)?;
        if !p.subject.is_empty() {
            write!(f, " {}", p.subject)?;
        }
        if !p.reason.is_empty() {
            write!(f, ": {}", p.reason)?;
        }
        if !p.advice.is_empty() {
            write!(f, " ({})", p.advice)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|s| &**s as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_from_one_without_gaps() {
        for (i, code) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as i32, i as i32 + 1, "{}", code.as_str());
        }
    }

    #[test]
    fn texts_are_unique() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }
}
