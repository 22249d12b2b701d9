//! Codes and types of the C ABI.

use crate::records::ErrorCode;

/// The ABI that this header describes. 0: it may still change; from 1 on it only grows.
pub const PORTBOOK_ABI_VERSION: u32 = 0;

/// An opened book.
pub struct portbook_book(());

/// A copy of a book under way.
pub struct portbook_book_copy(());

/// The key of a book's secrets in the host's keeping.
pub struct portbook_host_keys(());

/// A book used by one user of one tenant.
pub struct portbook_session(());

/// A standing relation between two places.
pub struct portbook_conduit(());

/// A standing relation between two tables.
pub struct portbook_definition(());

/// A preview that is stored in the book.
pub struct portbook_preview(());

/// A run under way. Freeing it lets the run go on.
pub struct portbook_run(());

/// The progress of a run, as it changes.
pub struct portbook_progress_watch(());

/// A volume, opened.
pub struct portbook_volume(());

/// An open file of a volume.
pub struct portbook_file_reader(());

/// Files that the host holds. Freeing it ends it.
pub struct portbook_host_store(());

/// Tables that the host holds. Freeing it ends it.
pub struct portbook_host_records(());

/// What became of a call. Codes are appended and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum portbook_code {
    /// The stream has ended: there is no output.
    PORTBOOK_END = -1,
    /// It was done.
    PORTBOOK_OK = 0,
    /// An argument or a configuration cannot be used as it stands.
    PORTBOOK_INVALID = 1,
    /// What was named does not exist, or not for this tenant.
    PORTBOOK_NOT_FOUND = 2,
    /// Both sides changed and no policy decides, or a row was changed by someone else meanwhile.
    PORTBOOK_CONFLICT = 3,
    /// The state that was previewed has moved on.
    PORTBOOK_STALE = 4,
    /// A guard stopped the run before it did anything.
    PORTBOOK_GUARD = 5,
    /// The other side does not accept the credentials.
    PORTBOOK_AUTH = 6,
    /// The credentials are good and do not allow this.
    PORTBOOK_PERMISSION = 7,
    /// No space or no quota is left.
    PORTBOOK_QUOTA = 8,
    /// The other side asks for a slower pace.
    PORTBOOK_THROTTLED = 9,
    /// The other side cannot be reached.
    PORTBOOK_OFFLINE = 10,
    /// The other side did not answer in time; whether it acted is unknown.
    PORTBOOK_TIMEOUT = 11,
    /// The place cannot do what was asked.
    PORTBOOK_UNSUPPORTED = 12,
    /// Another run holds what this one needs.
    PORTBOOK_BUSY = 13,
    /// The book was written by a newer version.
    PORTBOOK_NEWER = 14,
    /// The book or a file in it does not hold together.
    PORTBOOK_CORRUPT = 15,
    /// The key does not open what it should.
    PORTBOOK_WRONG_KEY = 16,
    /// Reading or writing a place or the book failed.
    PORTBOOK_STORAGE = 17,
    /// The host's own code failed.
    PORTBOOK_HOST = 18,
    /// The call was cancelled.
    PORTBOOK_CANCELLED = 19,
    /// A defect of this library.
    PORTBOOK_INTERNAL = 20,
}

impl From<ErrorCode> for portbook_code {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::Invalid => Self::PORTBOOK_INVALID,
            ErrorCode::NotFound => Self::PORTBOOK_NOT_FOUND,
            ErrorCode::Conflict => Self::PORTBOOK_CONFLICT,
            ErrorCode::Stale => Self::PORTBOOK_STALE,
            ErrorCode::Guard => Self::PORTBOOK_GUARD,
            ErrorCode::Auth => Self::PORTBOOK_AUTH,
            ErrorCode::Permission => Self::PORTBOOK_PERMISSION,
            ErrorCode::Quota => Self::PORTBOOK_QUOTA,
            ErrorCode::Throttled => Self::PORTBOOK_THROTTLED,
            ErrorCode::Offline => Self::PORTBOOK_OFFLINE,
            ErrorCode::Timeout => Self::PORTBOOK_TIMEOUT,
            ErrorCode::Unsupported => Self::PORTBOOK_UNSUPPORTED,
            ErrorCode::Busy => Self::PORTBOOK_BUSY,
            ErrorCode::Newer => Self::PORTBOOK_NEWER,
            ErrorCode::Corrupt => Self::PORTBOOK_CORRUPT,
            ErrorCode::WrongKey => Self::PORTBOOK_WRONG_KEY,
            ErrorCode::Storage => Self::PORTBOOK_STORAGE,
            ErrorCode::Host => Self::PORTBOOK_HOST,
            ErrorCode::Cancelled => Self::PORTBOOK_CANCELLED,
            ErrorCode::Internal => Self::PORTBOOK_INTERNAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_core() {
        for code in portbook::Code::ALL {
            assert_eq!(portbook_code::from(ErrorCode::from(*code)) as i32, *code as i32, "{}", code.as_str());
        }
    }
}
