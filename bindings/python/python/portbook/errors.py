"""What is raised. The code is the contract: the same in every language; the text is for people."""

from __future__ import annotations

from typing import ClassVar, Optional

from ._portbook import ErrorClass, ErrorCode, codes

_CODES = {info.text: info for info in codes()}


class PortbookError(Exception):
    """A failure. Each code has a class of its own, and each kind of code one above it."""

    code: ClassVar[str]
    """The code, such as ``not_found``."""

    advice: str
    """What the user can do; empty when there is nothing to say. The text has it, too."""

    def __init__(self, text: str = "", advice: str = "") -> None:
        super().__init__(text)
        self.advice = advice

    def __reduce__(self) -> tuple[type[PortbookError], tuple[str, str]]:
        return type(self), (str(self), self.advice)

    @property
    def error_code(self) -> ErrorCode:
        """The code as it stands in records."""
        return _CODES[self.code].code

    @property
    def error_class(self) -> ErrorClass:
        """What the code asks of whoever sees it."""
        return _CODES[self.code].class_

    @property
    def is_retryable(self) -> bool:
        """Whether the same call may succeed later as it stands."""
        return _CODES[self.code].is_retryable


class UsageError(PortbookError):
    """The call or the configuration has to be another one."""


class StateError(PortbookError):
    """Something stands otherwise than the call takes it to: look again, decide, or wait."""


class AccessError(PortbookError):
    """Somebody is not let in."""


class LineError(PortbookError):
    """The line or the other side's pace: the same call may succeed later."""


class UnusableError(PortbookError):
    """What is stored cannot be read or written."""


class InvalidError(UsageError, ValueError):
    """An argument or a configuration cannot be used as it stands."""

    code = "invalid"


class InvalidTypeError(InvalidError, TypeError):
    """An argument is of another type."""


class NotFoundError(StateError, LookupError):
    """What was named does not exist, or not for this tenant."""

    code = "not_found"


class ConflictError(StateError):
    """Both sides changed and no policy decides, or a row was changed by someone else meanwhile."""

    code = "conflict"


class StaleError(StateError):
    """The state that was previewed has moved on."""

    code = "stale"


class GuardError(StateError):
    """A guard stopped the run before it did anything."""

    code = "guard"


class AuthError(AccessError):
    """The other side does not accept the credentials."""

    code = "auth"


class PermissionRefusedError(AccessError):
    """The credentials are good and do not allow this."""

    code = "permission"


class QuotaError(PortbookError):
    """No space or no quota is left."""

    code = "quota"


class ThrottledError(LineError):
    """The other side asks for a slower pace."""

    code = "throttled"


class OfflineError(LineError):
    """The other side cannot be reached."""

    code = "offline"


class TimedOutError(LineError):
    """The other side did not answer in time; whether it acted is unknown."""

    code = "timeout"


class UnsupportedError(UsageError):
    """The place cannot do what was asked."""

    code = "unsupported"


class BusyError(StateError):
    """Another run holds what this one needs."""

    code = "busy"


class NewerError(StateError):
    """The book was written by a newer version."""

    code = "newer"


class CorruptError(UnusableError):
    """The book or a file in it does not hold together."""

    code = "corrupt"


class WrongKeyError(AccessError):
    """The key does not open what it should."""

    code = "wrong_key"


class StorageError(UnusableError):
    """Reading or writing a place or the book failed."""

    code = "storage"


class HostError(PortbookError):
    """The host's own code failed."""

    code = "host"


class CancelledError(PortbookError):
    """The call was cancelled. (What a cancelled task of asyncio raises is asyncio's own.)"""

    code = "cancelled"


class InternalError(PortbookError):
    """A defect of this library."""

    code = "internal"


def _leaves(kind: type[PortbookError]) -> dict[str, type[PortbookError]]:
    own = kind.__dict__.get("code")
    found = {} if own is None else {own: kind}
    for below in kind.__subclasses__():
        found.update(_leaves(below))
    return found


_KINDS = _leaves(PortbookError)


def error_of(code: str, text: str, advice: str = "") -> PortbookError:
    """The error of a code."""
    return _KINDS.get(code, InternalError)(text, advice)


def unreadable(is_type: bool, reason: Optional[str]) -> InvalidError:
    """The error of an argument that cannot be read."""
    return (InvalidTypeError if is_type else InvalidError)(f"could not read an argument: {reason}")
