# Generated from the library by tests/lib/python.sh.
"""
The native part of `portbook`, which re-exports it.
"""

import builtins
import collections.abc
import pandas  # type: ignore[import-untyped, import-not-found, unused-ignore]
import pyarrow  # type: ignore[import-untyped, import-not-found, unused-ignore]
from _typeshed import SupportsGetItem
from collections.abc import AsyncIterator, Awaitable, Iterator
from os import PathLike
from typing import Final, SupportsIndex, final
from typing_extensions import disjoint_base

@final
class Access:
    """
    What lets one in at a place, and what proves which server it is. What a protocol has no use for is not looked at.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, user: str | None = None, password: str | None = None, token: str | None = None, header_name: str | None = None, header_value: str | None = None, digest: bool | None = None, lock: bool | None = None, key_file: str | None = None, passphrase: str | None = None, host_key: str | None = None, known_hosts: str | None = None, ca_file: str | None = None, certificate_sha256: str | None = None, endpoint: str | None = None, region: str | None = None, path_style: bool | None = None, tls12_only: bool | None = None, plain: bool | None = None, implicit: bool | None = None, query_param: str | None = None, index: str | None = None) -> Access: ...
    def __repr__(self, /) -> str: ...
    @property
    def ca_file(self, /) -> str | None:
        """
        Trusts the authorities in this PEM file instead of the system's.
        """
    @property
    def certificate_sha256(self, /) -> str | None:
        """
        Trusts the server whose certificate has this SHA-256 (64 hexadecimal digits), and no other.
        """
    @property
    def digest(self, /) -> bool | None:
        """
        The password is not sent but proven (RFC 7616; HTTP and WebDAV).
        """
    @property
    def endpoint(self, /) -> str | None:
        """
        The server (S3): scheme, host, port. None: Amazon's of the region.
        """
    @property
    def header_name(self, /) -> str | None:
        """
        The name of a header of the server's own that lets one in (HTTP and WebDAV).
        """
    @property
    def header_value(self, /) -> str | None:
        """
        What that header says.
        """
    @property
    def host_key(self, /) -> str | None:
        """
        The key the server has to show (SFTP): `SHA256:…`, or as a line of `known_hosts`.
        """
    @property
    def implicit(self, /) -> bool | None:
        """
        TLS begins with the first byte on any port, or on none (`ftps://`). None: on port 990 alone.
        """
    @property
    def index(self, /) -> str | None:
        """
        The path of a JSON document that lists all files, where the server shows no directories (HTTP).
        """
    @property
    def key_file(self, /) -> str | None:
        """
        A file with a private key (SFTP). Without it and without a password the keys of the agent are tried.
        """
    @property
    def known_hosts(self, /) -> str | None:
        """
        Instead of `~/.ssh/known_hosts`.
        """
    @property
    def lock(self, /) -> bool | None:
        """
        What is changed is locked first (WebDAV).
        """
    @property
    def passphrase(self, /) -> str | None:
        """
        What opens that file.
        """
    @property
    def password(self, /) -> str | None:
        """
        Its password; for S3 the secret of the access key.
        """
    @property
    def path_style(self, /) -> bool | None:
        """
        The bucket is named in the path (S3). None: for every server but Amazon's.
        """
    @property
    def plain(self, /) -> bool | None:
        """
        FTP goes without TLS. `ftp://` asks for TLS otherwise, and is refused where the server has none.
        """
    @property
    def query_param(self, /) -> str | None:
        """
        Files are named by this query parameter of the URL instead of by a path (HTTP).
        """
    @property
    def region(self, /) -> str | None:
        """
        The region (S3).
        """
    @property
    def tls12_only(self, /) -> bool | None:
        """
        No TLS 1.3 (FTPS), for servers that cannot resume its sessions.
        """
    @property
    def token(self, /) -> str | None:
        """
        A bearer token; for S3 the token that comes with temporary keys.
        """
    @property
    def user(self, /) -> str | None:
        """
        The account, where the URL names none; for S3 the id of the access key.
        """

@final
class Activity:
    """
    A line of activity.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def action(self, /) -> SyncAction:
        """
        What happened.
        """
    @property
    def created_at(self, /) -> str:
        """
        When.
        """
    @property
    def duration_seconds(self, /) -> float | None:
        """
        How long it took.
        """
    @property
    def entity_type(self, /) -> SyncEntityType | None:
        """
        What was counted.
        """
    @property
    def error_message(self, /) -> str | None:
        """
        Why it failed, if it did.
        """
    @property
    def id(self, /) -> str:
        """
        Its id.
        """
    @property
    def record_count(self, /) -> int | None:
        """
        Items concerned.
        """
    @property
    def status(self, /) -> SyncStatus:
        """
        How it ended or stands.
        """
    @property
    def sync_id(self, /) -> str | None:
        """
        The run.
        """
    @property
    def user_id(self, /) -> str | None:
        """
        Who did it.
        """

@final
class ActivityFilter:
    """
    Which lines of activity are wanted; every field that is set narrows the list.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, conduit: str | None = None, sync_id: str | None = None, user: str | None = None, entity_type: SyncEntityType | None = None, action: SyncAction | None = None, status: SyncStatus | None = None, since: str | None = None, until: str | None = None) -> ActivityFilter: ...
    def __repr__(self, /) -> str: ...
    @property
    def action(self, /) -> SyncAction | None:
        """
        What happened.
        """
    @property
    def conduit(self, /) -> str | None:
        """
        What the runs of this conduit did.
        """
    @property
    def entity_type(self, /) -> SyncEntityType | None:
        """
        What was counted.
        """
    @property
    def since(self, /) -> str | None:
        """
        At this time or later.
        """
    @property
    def status(self, /) -> SyncStatus | None:
        """
        How it ended or stands.
        """
    @property
    def sync_id(self, /) -> str | None:
        """
        What this run did.
        """
    @property
    def until(self, /) -> str | None:
        """
        Before this time.
        """
    @property
    def user(self, /) -> str | None:
        """
        What this user did.
        """

@final
class ActivityPage:
    """
    A page of lines of activity, the latest first.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def lines(self, /) -> builtins.list[Activity]:
        """
        1,000 at most.
        """
    @property
    def next(self, /) -> str | None:
        """
        What to give for the next page; none at the end.
        """

@final
class AgreedItem:
    """
    What both sides last agreed on.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def content(self, /) -> str | None:
        """
        The BLAKE3 of the agreed content; none for directories, and where it is not known.
        """
    @property
    def item(self, /) -> ItemKind:
        """
        What it is.
        """
    @property
    def name(self, /) -> str:
        """
        Its agreed name.
        """

@final
class AppliedItem:
    """
    An item that was carried.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def bytes(self, /) -> int:
        """
        Bytes that were carried.
        """
    @property
    def kind(self, /) -> ChangeKind:
        """
        How it is counted.
        """
    @property
    def path(self, /) -> str:
        """
        Its path.
        """

@final
class ApplyOptions:
    """
    How a preview is applied.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, confirm: SupportsGetItem[int, str] | None = None, bandwidth: str | None = None, transfers: SupportsIndex | None = None, verify: Verify | None = None) -> ApplyOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def bandwidth(self, /) -> str | None:
        """
        How many bytes may pass in a second, instead of the conduit's limit.
        """
    @property
    def confirm(self, /) -> builtins.list[str] | None:
        """
        Guards that a person has seen and confirmed for this plan, by their names.
        """
    @property
    def transfers(self, /) -> int | None:
        """
        Transfers at once, instead of the conduit's number.
        """
    @property
    def verify(self, /) -> Verify | None:
        """
        What is looked at after the run, instead of the conduit's setting.
        """

@final
class Argon2Cost:
    """
    The parameters of Argon2id.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, memory_kib: SupportsIndex | None = None, passes: SupportsIndex | None = None, lanes: SupportsIndex | None = None) -> Argon2Cost: ...
    def __repr__(self, /) -> str: ...
    @property
    def lanes(self, /) -> int | None:
        """
        Lanes, 1 to 16; 4 unless told otherwise.
        """
    @property
    def memory_kib(self, /) -> int | None:
        """
        KiB of memory, 19,456 to 1,048,576; 65,536 unless told otherwise.
        """
    @property
    def passes(self, /) -> int | None:
        """
        Passes over the memory, 2 to 64; 3 unless told otherwise.
        """

@final
class AutoPathStrategy:
    """
    How a file without a given path gets one.
    """
    HASH: Final[AutoPathStrategy]
    """
    Its content's address.
    """
    NONE: Final[AutoPathStrategy]
    """
    It must have one.
    """
    UUID: Final[AutoPathStrategy]
    """
    A new id.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> AutoPathStrategy: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Book:
    """
    An opened book. It has its own threads; a handle may be shared between threads and tasks. A `with` block, or an
    `async with` block, shuts it down.
    """
    def __aenter__(self, /) -> Awaitable[Book]:
        """
        The book itself, to be awaited.
        """
    def __aexit__(self, /, *_exception: "object") -> Awaitable[None]:
        """
        Shuts it down, to be awaited.
        """
    def __enter__(self, /) -> Book:
        """
        The book itself.
        """
    def __exit__(self, /, *_exception: "object") -> None:
        """
        Shuts it down.
        """
    def backup(self, /, to: str | PathLike[str]) -> None:
        """
        Writes a copy of the book as of this moment into a new file, while it is in use. The copy is a book.

        Errors: `conflict` when the file is there; `unsupported` for a book on a server; `quota`, `permission`,
        `storage`.
        """
    def backup_async(self, /, to: str | PathLike[str]) -> Awaitable[None]:
        """
        Writes a copy of the book as of this moment into a new file, while it is in use. The copy is a book.

        Errors: `conflict` when the file is there; `unsupported` for a book on a server; `quota`, `permission`,
        `storage`.

        To be awaited.
        """
    def check(self, /) -> builtins.list[Finding]:
        """
        Looks whether the book holds together. Reads the whole book. An empty answer is a sound book.

        Errors: `storage`, `busy`.
        """
    def check_async(self, /) -> Awaitable[builtins.list[Finding]]:
        """
        Looks whether the book holds together. Reads the whole book. An empty answer is a sound book.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def copy_into(self, /, other: Book) -> BookCopy:
        """
        A copy of every row into another book, new and empty and on the other engine. It begins when it is
        finished.

        Errors: `invalid` when one of them was shut down.
        """
    def create_tenant(self, /, name: str) -> Tenant:
        """
        Makes a tenant, without users.

        Errors: `invalid` when the name is empty or longer than 255 characters; `storage`, `busy`.
        """
    def create_tenant_async(self, /, name: str) -> Awaitable[Tenant]:
        """
        Makes a tenant, without users.

        Errors: `invalid` when the name is empty or longer than 255 characters; `storage`, `busy`.

        To be awaited.
        """
    def create_user(self, /, tenant: str, user: NewUser) -> User:
        """
        Makes a user of a tenant.

        Errors: `not_found` when there is no such tenant; `conflict` when it has a user of this address;
        `invalid`.
        """
    def create_user_async(self, /, tenant: str, user: NewUser) -> Awaitable[User]:
        """
        Makes a user of a tenant.

        Errors: `not_found` when there is no such tenant; `conflict` when it has a user of this address;
        `invalid`.

        To be awaited.
        """
    def default_session(self, /) -> Session:
        """
        Acts as the only user of the only tenant, both made when they are absent: for programs with one user.

        Errors: `storage`, `busy`.
        """
    def default_session_async(self, /) -> Awaitable[Session]:
        """
        Acts as the only user of the only tenant, both made when they are absent: for programs with one user.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def delete_tenant(self, /, id: str) -> None:
        """
        Deletes a tenant and everything in the book that is its own. What its conduits have carried stays where
        it is.

        Errors: `not_found`; `busy` while one of its conduits runs.
        """
    def delete_tenant_async(self, /, id: str) -> Awaitable[None]:
        """
        Deletes a tenant and everything in the book that is its own. What its conduits have carried stays where
        it is.

        Errors: `not_found`; `busy` while one of its conduits runs.

        To be awaited.
        """
    def maintain(self, /) -> Upkeep:
        """
        Removes what has outlived its time, for every tenant.

        Errors: `storage`, `busy`.
        """
    def maintain_async(self, /) -> Awaitable[Upkeep]:
        """
        Removes what has outlived its time, for every tenant.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    @staticmethod
    def open(options: BookOptions | str | PathLike[str], keys: HostKeys | None = None) -> Book:
        """
        Opens a book and brings its schema up to date: a path is a file, made when it is absent. With `keys` the key of its
        secrets is in the host's keeping; they are asked when a secret is first sealed or opened.

        Errors: `invalid`; `newer` when a newer version wrote it; `corrupt` when it is not a book or damaged;
        `permission`, `quota`, `busy`, `storage`; `offline`, `auth` for a server.
        """
    @staticmethod
    def open_async(options: BookOptions | str | PathLike[str], keys: HostKeys | None = None) -> Awaitable[Book]:
        """
        Opens a book and brings its schema up to date: a path is a file, made when it is absent. With `keys` the key of its
        secrets is in the host's keeping; they are asked when a secret is first sealed or opened.

        Errors: `invalid`; `newer` when a newer version wrote it; `corrupt` when it is not a book or damaged;
        `permission`, `quota`, `busy`, `storage`; `offline`, `auth` for a server.

        To be awaited.
        """
    def rename_tenant(self, /, id: str, name: str) -> Tenant:
        """
        Gives a tenant another name.

        Errors: `not_found`; `invalid` as for `create_tenant`.
        """
    def rename_tenant_async(self, /, id: str, name: str) -> Awaitable[Tenant]:
        """
        Gives a tenant another name.

        Errors: `not_found`; `invalid` as for `create_tenant`.

        To be awaited.
        """
    def rotate_key(self, /, key: KeyOptions) -> None:
        """
        Makes this the key of the book's secrets. Other processes have to be given it, too.

        Errors: `wrong_key` when the book was opened with another key than its secrets are kept by, or with
        none; `storage`, `busy`.
        """
    def rotate_key_async(self, /, key: KeyOptions) -> Awaitable[None]:
        """
        Makes this the key of the book's secrets. Other processes have to be given it, too.

        Errors: `wrong_key` when the book was opened with another key than its secrets are kept by, or with
        none; `storage`, `busy`.

        To be awaited.
        """
    def rotate_to_host_keys(self, /, keys: HostKeys) -> None:
        """
        As `rotate_key`, to a key in the host's keeping.

        Errors: As there; `host`, `timeout`.
        """
    def rotate_to_host_keys_async(self, /, keys: HostKeys) -> Awaitable[None]:
        """
        As `rotate_key`, to a key in the host's keeping.

        Errors: As there; `host`, `timeout`.

        To be awaited.
        """
    def session(self, /, tenant: str, user: str) -> Session:
        """
        Acts as a user of a tenant.

        Errors: `not_found` when there is no such user of that tenant.
        """
    def session_async(self, /, tenant: str, user: str) -> Awaitable[Session]:
        """
        Acts as a user of a tenant.

        Errors: `not_found` when there is no such user of that tenant.

        To be awaited.
        """
    def shutdown(self, /) -> None:
        """
        Ends the book: runs under way are cancelled and end, whoever waits for the host does no longer, calls
        that begin later are `invalid`. Idempotent.

        Errors: `invalid` after a fork: the book is left alone.
        """
    def shutdown_async(self, /) -> Awaitable[None]:
        """
        Ends the book: runs under way are cancelled and end, whoever waits for the host does no longer, calls
        that begin later are `invalid`. Idempotent.

        Errors: `invalid` after a fork: the book is left alone.

        To be awaited.
        """
    def tenants(self, /, after: str | None = None, limit: SupportsIndex | None = None) -> builtins.list[Tenant]:
        """
        The tenants in the order in which they were made, after the one of that id; 1,000 at most.

        Errors: `storage`, `busy`.
        """
    def tenants_async(self, /, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[builtins.list[Tenant]]:
        """
        The tenants in the order in which they were made, after the one of that id; 1,000 at most.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def vacuum(self, /) -> None:
        """
        Gives the space of deleted rows back.

        Errors: `busy` when another process keeps the book; `quota`, `storage`.
        """
    def vacuum_async(self, /) -> Awaitable[None]:
        """
        Gives the space of deleted rows back.

        Errors: `busy` when another process keeps the book; `quota`, `storage`.

        To be awaited.
        """

@final
class BookCopy:
    """
    A copy of a book under way.
    """
    def cancel(self, /) -> None:
        """
        Ends it with `cancelled` soon. Returns at once; may be called from any thread.
        """
    def finish(self, /) -> CopyReport:
        """
        Copies, and compares both books row by row. To be called once.

        Errors: `conflict` when the other book is not empty, or this one was written meanwhile; `busy` while a
        run is under way; `unsupported` when both are on the same engine; `permission`; `cancelled`.
        """
    def finish_async(self, /) -> Awaitable[CopyReport]:
        """
        Copies, and compares both books row by row. To be called once.

        Errors: `conflict` when the other book is not empty, or this one was written meanwhile; `busy` while a
        run is under way; `unsupported` when both are on the same engine; `permission`; `cancelled`.

        To be awaited.
        """
    def progress(self, /) -> CopyProgress:
        """
        How far it is.
        """

@final
class BookOptions:
    """
    How a book is opened.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, path: str | None = None, url: str | None = None, postgres: PostgresOptions | None = None, key: KeyOptions | None = None, machine: str | None = None, bandwidth: str | None = None, memory_bytes: SupportsIndex | None = None, activity_days: SupportsIndex | None = None, activity_expired: ExpiredActivity | None = None) -> BookOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def activity_days(self, /) -> int | None:
        """
        Days that lines of activity are kept; 365 unless told otherwise.
        """
    @property
    def activity_expired(self, /) -> ExpiredActivity | None:
        """
        What becomes of older ones; `deleted` unless told otherwise.
        """
    @property
    def bandwidth(self, /) -> str | None:
        """
        What all runs and volumes of this process may carry in a second together: `512k`, `1.5M`, or a timetable such as
        `08:00,512k 19:00,off`. None: as fast as they can.
        """
    @property
    def key(self, /) -> KeyOptions | None:
        """
        The key of the book's secrets. Without one everything works that needs no secret.
        """
    @property
    def machine(self, /) -> str | None:
        """
        Names the machine among those that share the book, instead of what it says of itself.
        """
    @property
    def memory_bytes(self, /) -> int | None:
        """
        Bytes of files that all runs of this process may hold at once, at least 64 MiB; 128 MiB unless told otherwise.
        """
    @property
    def path(self, /) -> str | None:
        """
        A SQLite file, made when it is absent. Either this or `url`.
        """
    @property
    def postgres(self, /) -> PostgresOptions | None:
        """
        How the server is used.
        """
    @property
    def url(self, /) -> str | None:
        """
        A PostgreSQL database. May hold a password.
        """

@final
class Change:
    """
    A change of a preview.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def action(self, /) -> ChangeAction:
        """
        What is done.
        """
    @property
    def bytes(self, /) -> int:
        """
        Bytes that are carried.
        """
    @property
    def cause(self, /) -> SkipCause | None:
        """
        Why a skipped item is left alone.
        """
    @property
    def changes(self, /) -> Side | None:
        """
        The side that is changed; none when none is.
        """
    @property
    def decides(self, /) -> int | None:
        """
        The conflict that a person decided so.
        """
    @property
    def follows(self, /) -> bool:
        """
        It is the second half of the decision before it, and is ticked with it.
        """
    @property
    def id(self, /) -> str:
        """
        Names it within its preview.
        """
    @property
    def item(self, /) -> ItemKind:
        """
        What the item is.
        """
    @property
    def kind(self, /) -> ChangeKind:
        """
        How it is counted.
        """
    @property
    def moved_from(self, /) -> str | None:
        """
        Where a moved item comes from.
        """
    @property
    def path(self, /) -> str:
        """
        Where, relative to both roots.
        """
    @property
    def path_on_source(self, /) -> str | None:
        """
        Where the source has it, when that is not `path`.
        """
    @property
    def path_on_target(self, /) -> str | None:
        """
        Where the target has it, when that is not `path`.
        """
    @property
    def reason(self, /) -> str | None:
        """
        The same in words.
        """
    @property
    def ticked(self, /) -> bool:
        """
        It is going to be applied.
        """

@final
class ChangeAction:
    """
    What is done.
    """
    DELETE: Final[ChangeAction]
    """
    The item goes to the trash.
    """
    FORGET: Final[ChangeAction]
    """
    The ledger lets go of it.
    """
    MAKE_DIR: Final[ChangeAction]
    """
    A directory is made.
    """
    MOVE: Final[ChangeAction]
    """
    The item is renamed.
    """
    RECORD: Final[ChangeAction]
    """
    The ledger learns that both sides agree.
    """
    SET_METADATA: Final[ChangeAction]
    """
    Attributes are set.
    """
    SKIP: Final[ChangeAction]
    """
    Nothing.
    """
    TRANSFER: Final[ChangeAction]
    """
    The file or link is carried.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ChangeAction: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class ChangeFilter:
    """
    Which changes of a preview are wanted.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, kind: ChangeKind | None = None, under: str | None = None) -> ChangeFilter: ...
    def __repr__(self, /) -> str: ...
    @property
    def kind(self, /) -> ChangeKind | None:
        """
        Only this kind. Items that are equal and only recorded are listed when `unchanged` is asked for.
        """
    @property
    def under(self, /) -> str | None:
        """
        Only this path and what lies beneath it.
        """

@final
class ChangeKind:
    """
    How a change is counted.
    """
    CONFLICT: Final[ChangeKind]
    """
    Both sides changed; the action says what the policy makes of it.
    """
    DELETED: Final[ChangeKind]
    """
    An item that is removed from a side, into its trash.
    """
    MOVED: Final[ChangeKind]
    """
    An item that is renamed or moved on a side.
    """
    NEW: Final[ChangeKind]
    """
    An item that one side does not have yet.
    """
    SKIPPED: Final[ChangeKind]
    """
    Seen and left alone, with the reason.
    """
    UNCHANGED: Final[ChangeKind]
    """
    Equal on both sides; only the ledger learns something.
    """
    UPDATED: Final[ChangeKind]
    """
    An item whose content or metadata is carried over an older state.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ChangeKind: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class ChangePage:
    """
    A page of changes, in the order in which they are applied.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def changes(self, /) -> builtins.list[Change]:
        """
        1,000 at most.
        """
    @property
    def next(self, /) -> str | None:
        """
        What to give for the next page; none at the end.
        """

@disjoint_base
class Choice:
    """
    What is to become of an item that waits.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @staticmethod
    def rename(side: Side, name: str) -> Choice:
        """
        The item of that side gets another name, in the same directory, and both sides have it under that name.
        """
    @final
    class KeepBoth(Choice):
        """
        Both stay, one of them under a conflict name.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> Choice.KeepBoth: ...
    @final
    class KeepDestination(Choice):
        """
        The target's state counts: the source becomes like it, in every mode.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> Choice.KeepDestination: ...
    @final
    class KeepSource(Choice):
        """
        The source's state counts: the target becomes like it.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> Choice.KeepSource: ...
    @final
    class Rename(Choice):
        """
        The item of that side gets another name, and both sides have it under that name.
        """
        __match_args__: Final = ("side", "name")
        def __new__(cls, /, side: Side, name: str) -> Choice.Rename: ...
        @property
        def name(self, /) -> str:
            """
            Its new name, in the same directory.
            """
        @property
        def side(self, /) -> Side:
            """
            Whose item.
            """

@final
class CodeInfo:
    """
    A row of the table of codes.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def class_(self, /) -> ErrorClass:
        """
        What it asks of whoever sees it. (`class` is a word of Python's own.)
        """
    @property
    def code(self, /) -> ErrorCode:
        """
        The code.
        """
    @property
    def exit_status(self, /) -> int:
        """
        The exit status of the command line.
        """
    @property
    def is_retryable(self, /) -> bool:
        """
        Whether the same call may succeed later as it stands.
        """
    @property
    def number(self, /) -> int:
        """
        Its number, in C.
        """
    @property
    def text(self, /) -> str:
        """
        Its text, in every language.
        """

@final
class ColumnInfo:
    """
    A column of a table.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def decimals(self, /) -> int | None:
        """
        Digits after the point that a number is kept with.
        """
    @property
    def kind(self, /) -> ValueKind:
        """
        What it holds.
        """
    @property
    def least(self, /) -> int | None:
        """
        The least number it may hold.
        """
    @property
    def max_chars(self, /) -> int | None:
        """
        Characters that a text has at most.
        """
    @property
    def most(self, /) -> int | None:
        """
        The largest number it may hold.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """
    @property
    def not_empty(self, /) -> bool:
        """
        Whether a text has one character at least.
        """
    @property
    def nullable(self, /) -> bool:
        """
        Whether it may hold nothing.
        """
    @property
    def references(self, /) -> str | None:
        """
        The table whose rows it names.
        """
    @property
    def words(self, /) -> builtins.list[str]:
        """
        The only texts it may hold; empty when any will do.
        """

@final
class ColumnShape:
    """
    A column.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def choices(self, /) -> builtins.list[str]:
        """
        The texts that it takes; empty: any.
        """
    @property
    def collation(self, /) -> str:
        """
        What its texts are equal by, in the words of its store; empty: the usual.
        """
    @property
    def data_type(self, /) -> str:
        """
        Its type, in the words of its store.
        """
    @property
    def decimal_places(self, /) -> int | None:
        """
        How many of them are after the point.
        """
    @property
    def default_value(self, /) -> str | None:
        """
        Its default, in the words of its store.
        """
    @property
    def digits(self, /) -> int | None:
        """
        The digits of a decimal.
        """
    @property
    def ignores_accents(self, /) -> bool:
        """
        Texts that differ only in accents are equal.
        """
    @property
    def ignores_case(self, /) -> bool:
        """
        Texts that differ only in case are equal.
        """
    @property
    def ignores_trailing_spaces(self, /) -> bool:
        """
        Spaces at the end of a text are no matter.
        """
    @property
    def is_computed(self, /) -> bool:
        """
        Whether the store computes it: it is read, never written.
        """
    @property
    def is_identity(self, /) -> bool:
        """
        Whether the store numbers it.
        """
    @property
    def is_nullable(self, /) -> bool:
        """
        Whether it may hold nothing.
        """
    @property
    def kind(self, /) -> DatumKind | None:
        """
        What its values are; none when the type is one that is not carried.
        """
    @property
    def max_length(self, /) -> int | None:
        """
        The most characters that a text may have, or bytes that bytes may have.
        """
    @property
    def member(self, /) -> DatumKind | None:
        """
        What the members are, where its values are lists or sets.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """
    @property
    def second_places(self, /) -> int | None:
        """
        How many decimal places of a second its times have.
        """

@final
class Conduit:
    """
    A standing relation between two directories, as one user of one tenant.
    """
    def apply(self, /, preview: Preview | str, options: ApplyOptions | None = None) -> Run:
        """
        Applies a preview as it stands, by itself or its id, or goes on with one that was interrupted. What is wrong with
        it is the outcome of the run.

        Errors: `invalid` when an option cannot be used.
        """
    def conflicts(self, /, after: SupportsIndex | None = None, limit: SupportsIndex | None = None) -> builtins.list[Conflict]:
        """
        The conflicts that wait for a person, the latest first, after (that is, older than) the one of that
        number; 1,000 at most.

        Errors: `storage`, `busy`.
        """
    def conflicts_async(self, /, after: SupportsIndex | None = None, limit: SupportsIndex | None = None) -> Awaitable[builtins.list[Conflict]]:
        """
        The conflicts that wait for a person, the latest first, after (that is, older than) the one of that
        number; 1,000 at most.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    @property
    def id(self, /) -> str:
        """
        Its id in the book.

        Errors: `invalid` after a fork or after the book was shut down.
        """
    def inspect_conflict(self, /, id: SupportsIndex) -> Inspection:
        """
        One conflict, open or closed, with what is needed to decide about it.

        Errors: `not_found` when this conduit has none of this number.
        """
    def inspect_conflict_async(self, /, id: SupportsIndex) -> Awaitable[Inspection]:
        """
        One conflict, open or closed, with what is needed to decide about it.

        Errors: `not_found` when this conduit has none of this number.

        To be awaited.
        """
    @property
    def options(self, /) -> ConduitOptions:
        """
        What it does.

        Errors: As `id`.
        """
    def pin(self, /, pin: Pin) -> None:
        """
        Pins a path, whatever the rules say of it. A pin that the path has already is turned round.

        Errors: `invalid` when it names nothing beneath the root; `storage`, `busy`.
        """
    def pin_async(self, /, pin: Pin) -> Awaitable[None]:
        """
        Pins a path, whatever the rules say of it. A pin that the path has already is turned round.

        Errors: `invalid` when it names nothing beneath the root; `storage`, `busy`.

        To be awaited.
        """
    def pins(self, /) -> builtins.list[Pin]:
        """
        The pins of selective mode, ordered by path.

        Errors: `storage`, `busy`.
        """
    def pins_async(self, /) -> Awaitable[builtins.list[Pin]]:
        """
        The pins of selective mode, ordered by path.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def preview(self, /, options: PreviewOptions | None = None) -> Preview:
        """
        Compares both places with the ledger and stores what would change. Writes nothing to either place.

        Errors: `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be
        used.
        """
    def preview_async(self, /, options: PreviewOptions | None = None) -> Awaitable[Preview]:
        """
        Compares both places with the ledger and stores what would change. Writes nothing to either place.

        Errors: `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be
        used.

        To be awaited.
        """
    def resolve_conflict(self, /, id: SupportsIndex, mark: str, choice: Choice) -> None:
        """
        Decides about a conflict; the next run carries it out. `mark` is that of the conflict as it was looked
        at.

        Errors: `not_found` when no conflict of this number waits here; `stale` when it is not what was looked
        at any more; `invalid` when that cannot be decided here.
        """
    def resolve_conflict_async(self, /, id: SupportsIndex, mark: str, choice: Choice) -> Awaitable[None]:
        """
        Decides about a conflict; the next run carries it out. `mark` is that of the conflict as it was looked
        at.

        Errors: `not_found` when no conflict of this number waits here; `stale` when it is not what was looked
        at any more; `invalid` when that cannot be decided here.

        To be awaited.
        """
    def selection_rules(self, /) -> builtins.list[SelectionRule]:
        """
        The rules of selective mode in their order.

        Errors: `storage`, `busy`.
        """
    def selection_rules_async(self, /) -> Awaitable[builtins.list[SelectionRule]]:
        """
        The rules of selective mode in their order.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def set_selection_rules(self, /, rules: SupportsGetItem[int, SelectionRule]) -> None:
        """
        Puts these rules in the place of the ones before.

        Errors: `invalid` when a pattern cannot be used; nothing has changed then.
        """
    def set_selection_rules_async(self, /, rules: SupportsGetItem[int, SelectionRule]) -> Awaitable[None]:
        """
        Puts these rules in the place of the ones before.

        Errors: `invalid` when a pattern cannot be used; nothing has changed then.

        To be awaited.
        """
    def sync(self, /, preview: PreviewOptions | None = None, options: ApplyOptions | None = None) -> Run:
        """
        Previews and applies.

        Errors: `invalid` when an option cannot be used.
        """
    def unpin(self, /, path: str) -> None:
        """
        Leaves a path to the rules again.

        Errors: `not_found` when it has no pin.
        """
    def unpin_async(self, /, path: str) -> Awaitable[None]:
        """
        Leaves a path to the rules again.

        Errors: `not_found` when it has no pin.

        To be awaited.
        """

@final
class ConduitOptions:
    """
    What a conduit does. The conduit remembers what it was given last.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, mode: SyncMode | None = None, conflict: ConflictPolicy | None = None, name_clash: NameClash | None = None, filters: Filters | None = None, exact: bool | None = None, max_delete: str | None = None, verify: Verify | None = None, transfers: SupportsIndex | None = None, bandwidth: str | None = None) -> ConduitOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def bandwidth(self, /) -> str | None:
        """
        How many bytes may pass in a second: `512k`, `1.5M`, or a timetable.
        """
    @property
    def conflict(self, /) -> ConflictPolicy | None:
        """
        Who wins a conflict. None: `source-wins` for mirror and selective, `keep-both` for bidirectional.
        """
    @property
    def exact(self, /) -> bool | None:
        """
        Mirror mode: what the ledger never knew at the target is removed there.
        """
    @property
    def filters(self, /) -> Filters | None:
        """
        Which items take part; all unless told otherwise.
        """
    @property
    def max_delete(self, /) -> str | None:
        """
        Deletions before a guard stops the run: a number, or a share such as `50%`. None: half of at least ten items. Given
        explicitly, it also stands for the confirmation that `exact` without a ledger asks for.
        """
    @property
    def mode(self, /) -> SyncMode | None:
        """
        `mirror` unless told otherwise.
        """
    @property
    def name_clash(self, /) -> NameClash | None:
        """
        What becomes of names that one side cannot hold or cannot tell apart; `skip` unless told otherwise.
        """
    @property
    def transfers(self, /) -> int | None:
        """
        Transfers at once; 3 unless told otherwise.
        """
    @property
    def verify(self, /) -> Verify | None:
        """
        What is looked at after a run; `size` unless told otherwise.
        """

@final
class Conflict:
    """
    A conflict that waits, or waited, for a person.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def choice(self, /) -> Choice | None:
        """
        What was decided, and in the end carried out.
        """
    @property
    def created_at(self, /) -> str:
        """
        When it was met first.
        """
    @property
    def decided_at(self, /) -> str | None:
        """
        When that was decided.
        """
    @property
    def decided_by(self, /) -> str | None:
        """
        Who decided it; none once that user is gone.
        """
    @property
    def generation(self, /) -> int:
        """
        The run that met it last.
        """
    @property
    def id(self, /) -> int:
        """
        Names it within its conduit.
        """
    @property
    def mark(self, /) -> str:
        """
        Names what was seen: give it back with the decision.
        """
    @property
    def note(self, /) -> str | None:
        """
        Why the last decision came to nothing.
        """
    @property
    def path(self, /) -> str:
        """
        Where, relative to both roots.
        """
    @property
    def reason(self, /) -> WaitReason:
        """
        Why it waits.
        """
    @property
    def resolution(self, /) -> Resolution | None:
        """
        How it was closed.
        """
    @property
    def resolved_at(self, /) -> str | None:
        """
        When it was closed; none while it waits.
        """
    @property
    def seen_at_source(self, /) -> SeenItem | None:
        """
        What the source showed; none where it had nothing.
        """
    @property
    def seen_at_target(self, /) -> SeenItem | None:
        """
        What the target showed; none where it had nothing.
        """
    @property
    def side(self, /) -> Side | None:
        """
        The side that the reason speaks of.
        """

@final
class ConflictPolicy:
    """
    Who wins when both sides changed.
    """
    DESTINATION_WINS: Final[ConflictPolicy]
    """
    The target's version.
    """
    KEEP_BOTH: Final[ConflictPolicy]
    """
    Both, the loser under another name.
    """
    LATEST_WINS: Final[ConflictPolicy]
    """
    The later change, each measured in its own clock; both where that cannot be told.
    """
    SOURCE_WINS: Final[ConflictPolicy]
    """
    The source's version.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ConflictPolicy: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class ConstraintShape:
    """
    A constraint.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def columns(self, /) -> builtins.list[str]:
        """
        Its columns, in its order.
        """
    @property
    def constraint_type(self, /) -> ConstraintType:
        """
        What it says.
        """
    @property
    def definition(self, /) -> str | None:
        """
        It in the words of its store.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """
    @property
    def referenced_table(self, /) -> str | None:
        """
        The table that it refers to.
        """

@final
class ConstraintType:
    """
    What a constraint says.
    """
    CHECK: Final[ConstraintType]
    """
    A condition.
    """
    FOREIGN_KEY: Final[ConstraintType]
    """
    A reference.
    """
    PRIMARY_KEY: Final[ConstraintType]
    """
    The key.
    """
    UNIQUE: Final[ConstraintType]
    """
    No two rows alike.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ConstraintType: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class CopyProgress:
    """
    How far a copy of a book is.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def done(self, /) -> int:
        """
        Rows written or compared.
        """
    @property
    def total(self, /) -> int:
        """
        Rows to write and to compare; 0 until they are counted.
        """

@final
class CopyReport:
    """
    What a copy of a book holds.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def rows(self, /) -> int:
        """
        Rows, all compared with those they were copied from.
        """
    @property
    def tables(self, /) -> int:
        """
        Tables.
        """
    @property
    def tenants(self, /) -> int:
        """
        Tenants.
        """

@final
class Counts:
    """
    How many items of each kind; of a preview what would be done, of a run what was.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def conflicts(self, /) -> int:
        """
        Items that both sides had changed.
        """
    @property
    def deleted(self, /) -> int:
        """
        Items removed.
        """
    @property
    def failed(self, /) -> int:
        """
        Items that could not be carried, stale ones included.
        """
    @property
    def moved(self, /) -> int:
        """
        Items renamed or moved.
        """
    @property
    def new(self, /) -> int:
        """
        Items that one side did not have.
        """
    @property
    def skipped(self, /) -> int:
        """
        Items left alone for a stated reason.
        """
    @property
    def unchanged(self, /) -> int:
        """
        Items that were equal.
        """
    @property
    def updated(self, /) -> int:
        """
        Items carried over an older state.
        """

@final
class DatumKind:
    """
    What the values of a column are. How each is written in the rows of a host's own store stands beside it.
    """
    BOOLEAN: Final[DatumKind]
    """
    Truth values: `true`, `false`.
    """
    BYTES: Final[DatumKind]
    """
    Bytes: base64.
    """
    DATE: Final[DatumKind]
    """
    Days: `2026-11-22`.
    """
    DECIMAL: Final[DatumKind]
    """
    Exact numbers with a fraction: the text of their digits, or a number of at most 15 digits.
    """
    FLOAT: Final[DatumKind]
    """
    Floats: numbers; `"NaN"`, `"Infinity"`, `"-Infinity"`.
    """
    INSTANT: Final[DatumKind]
    """
    Points in time: `2026-11-22T10:11:12.5Z`.
    """
    INTEGER: Final[DatumKind]
    """
    Whole numbers: below 2^53 as numbers, any as the text of their digits.
    """
    INTERVAL: Final[DatumKind]
    """
    Spans of time; a host's own store cannot have them.
    """
    JSON: Final[DatumKind]
    """
    JSON documents: as they are.
    """
    LIST: Final[DatumKind]
    """
    Lists: lists of their members.
    """
    SET: Final[DatumKind]
    """
    Sets: lists of their members, in any order.
    """
    TEXT: Final[DatumKind]
    """
    Text.
    """
    TIME: Final[DatumKind]
    """
    Times of day: `10:11:12.5`.
    """
    TIMESTAMP: Final[DatumKind]
    """
    Dates with times and no zone: `2026-11-22T10:11:12.5`.
    """
    UUID: Final[DatumKind]
    """
    UUIDs: their text.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> DatumKind: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Definition:
    """
    A standing relation between two tables, as one user of one tenant.
    """
    def apply(self, /, preview: RowPreview | str, options: RowApplyOptions | None = None) -> Run:
        """
        Applies a preview as it stands, by itself or its id, or goes on with one that was interrupted. What is
        wrong with it is the outcome of the run.

        Errors: `invalid` for what is no id.
        """
    def changes(self, /, preview: RowPreview | str, kind: ChangeKind | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> PreviewedRowPage:
        """
        A page of the rows of a preview in the order in which they are applied, after the page that ended there;
        1,000 at most. Rows that are equal and only recorded are listed when the kind `unchanged` is asked for.

        Errors: `not_found` as for `stored_preview`; `invalid` when `after` is none of its changes' ids.
        """
    def changes_async(self, /, preview: RowPreview | str, kind: ChangeKind | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[PreviewedRowPage]:
        """
        A page of the rows of a preview in the order in which they are applied, after the page that ended there;
        1,000 at most. Rows that are equal and only recorded are listed when the kind `unchanged` is asked for.

        Errors: `not_found` as for `stored_preview`; `invalid` when `after` is none of its changes' ids.

        To be awaited.
        """
    def conflicts(self, /, after: str | None = None, limit: SupportsIndex | None = None) -> builtins.list[RowConflict]:
        """
        The rows that wait for a person, after the one of that id; 1,000 at most.

        Errors: `invalid` when `after` is no id; `storage`, `busy`.
        """
    def conflicts_async(self, /, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[builtins.list[RowConflict]]:
        """
        The rows that wait for a person, after the one of that id; 1,000 at most.

        Errors: `invalid` when `after` is no id; `storage`, `busy`.

        To be awaited.
        """
    def drift(self, /) -> builtins.list[Drift]:
        """
        What has changed about both tables since the last run, or since they were accepted as they are, and what
        that is to this definition; also what keeps it from running.

        Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at.
        """
    def drift_async(self, /) -> Awaitable[builtins.list[Drift]]:
        """
        What has changed about both tables since the last run, or since they were accepted as they are, and what
        that is to this definition; also what keeps it from running.

        Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at.

        To be awaited.
        """
    def each_change(self, /, preview: "RowPreview | str", kind: "ChangeKind | None" = None) -> Iterator[PreviewedRow]:
        """
        All rows of a preview in the order in which they are applied.
        """
    def each_change_async(self, /, preview: "RowPreview | str", kind: "ChangeKind | None" = None) -> AsyncIterator[PreviewedRow]:
        """
        All rows of a preview in the order in which they are applied, for `async for`.
        """
    @property
    def id(self, /) -> str:
        """
        Its id in the book (`sync_definitions`).

        Errors: `invalid` after a fork or after the book was shut down.
        """
    def inspect_conflict(self, /, id: str) -> RowInspection:
        """
        A row that waits, with what both sides hold in its fields now.

        Errors: `not_found` when no row waits by this id; as `preview`.
        """
    def inspect_conflict_async(self, /, id: str) -> Awaitable[RowInspection]:
        """
        A row that waits, with what both sides hold in its fields now.

        Errors: `not_found` when no row waits by this id; as `preview`.

        To be awaited.
        """
    def preview(self, /, options: RowPreviewOptions | None = None) -> RowPreview:
        """
        Compares both tables with the ledger and stores what would change. Writes nothing to either.

        Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be read. `invalid`: the mapping does
        not fit the tables as they are now.
        """
    def preview_async(self, /, options: RowPreviewOptions | None = None) -> Awaitable[RowPreview]:
        """
        Compares both tables with the ledger and stores what would change. Writes nothing to either.

        Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be read. `invalid`: the mapping does
        not fit the tables as they are now.

        To be awaited.
        """
    def resolve_conflict(self, /, id: str, mark: str, choice: RowChoice) -> None:
        """
        Decides about a row that waits, or decides otherwise while that has not been carried out. `mark` is that of
        the conflict as it was looked at. The next preview shows what was decided, and applying it carries it out;
        if a side has changed its row by then, the decision comes to nothing, with a note, and the row waits on.

        Errors: `not_found` when no row waits by this id; `stale` when it is not what was looked at any more;
        `invalid` for columns of a row that one side has deleted, or for one that does not go both ways.
        """
    def resolve_conflict_async(self, /, id: str, mark: str, choice: RowChoice) -> Awaitable[None]:
        """
        Decides about a row that waits, or decides otherwise while that has not been carried out. `mark` is that of
        the conflict as it was looked at. The next preview shows what was decided, and applying it carries it out;
        if a side has changed its row by then, the decision comes to nothing, with a note, and the row waits on.

        Errors: `not_found` when no row waits by this id; `stale` when it is not what was looked at any more;
        `invalid` for columns of a row that one side has deleted, or for one that does not go both ways.

        To be awaited.
        """
    def stored_preview(self, /, preview: str) -> RowPreview:
        """
        What a preview holds in sum, by its id.

        Errors: `not_found` when there is none of this definition, or it has expired.
        """
    def stored_preview_async(self, /, preview: str) -> Awaitable[RowPreview]:
        """
        What a preview holds in sum, by its id.

        Errors: `not_found` when there is none of this definition, or it has expired.

        To be awaited.
        """
    def sync(self, /, preview: RowPreviewOptions | None = None, options: RowApplyOptions | None = None) -> Run:
        """
        Previews and applies.

        Errors: `invalid` when an option cannot be used.
        """
    def targets(self, /) -> builtins.list[RecordTarget]:
        """
        The lists that its rows may go to; none where the target is a table.

        Errors: `not_found` when the definition is gone.
        """
    def targets_async(self, /) -> Awaitable[builtins.list[RecordTarget]]:
        """
        The lists that its rows may go to; none where the target is a table.

        Errors: `not_found` when the definition is gone.

        To be awaited.
        """
    def tick(self, /, preview: RowPreview | str, changes: SupportsGetItem[int, str], ticked: bool) -> None:
        """
        Ticks changes of a preview in or out, by their ids.

        Errors: `not_found`; `busy` once it is being applied; `conflict` for a change that it does not have.
        """
    def tick_async(self, /, preview: RowPreview | str, changes: SupportsGetItem[int, str], ticked: bool) -> Awaitable[None]:
        """
        Ticks changes of a preview in or out, by their ids.

        Errors: `not_found`; `busy` once it is being applied; `conflict` for a change that it does not have.

        To be awaited.
        """
    def verify(self, /) -> RowVerifyReport:
        """
        Compares both tables row by row, whatever the ledger says, and writes down what came of it
        (`sync_metrics`).

        Errors: As `preview`.
        """
    def verify_async(self, /) -> Awaitable[RowVerifyReport]:
        """
        Compares both tables row by row, whatever the ledger says, and writes down what came of it
        (`sync_metrics`).

        Errors: As `preview`.

        To be awaited.
        """

@final
class DefinitionDrift:
    """
    What a change of a table is to a definition.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def definition(self, /) -> str:
        """
        The definition's id.
        """
    @property
    def effect(self, /) -> DriftEffect:
        """
        What the change is to it.
        """
    @property
    def name(self, /) -> str:
        """
        What it is called.
        """
    @property
    def reason(self, /) -> str:
        """
        Why.
        """

@final
class Deletion:
    """
    What deleting a row means.
    """
    GONE: Final[Deletion]
    """
    The row is gone.
    """
    MARKED: Final[Deletion]
    """
    The row is marked, and can be restored.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> Deletion: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Difference:
    """
    How one item differs.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def kind(self, /) -> DifferenceKind:
        """
        How.
        """
    @property
    def path(self, /) -> str:
        """
        Where.
        """
    @property
    def side(self, /) -> Side | None:
        """
        The side that alone has it, or that could not be looked at.
        """
    @property
    def words(self, /) -> str:
        """
        The same in words.
        """

@final
class DifferenceKind:
    """
    How one item differs.
    """
    CONTENT: Final[DifferenceKind]
    """
    The contents differ.
    """
    KIND: Final[DifferenceKind]
    """
    A file here, a directory there.
    """
    ONLY_ON: Final[DifferenceKind]
    """
    Only one side has it.
    """
    SIZE: Final[DifferenceKind]
    """
    The sizes differ.
    """
    UNREADABLE: Final[DifferenceKind]
    """
    It could not be looked at.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> DifferenceKind: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Drift:
    """
    A change of one of its tables, and what that is to a definition.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def change(self, /) -> SchemaChange:
        """
        What has changed.
        """
    @property
    def effect(self, /) -> DriftEffect:
        """
        What that is to it.
        """
    @property
    def reason(self, /) -> str:
        """
        Why.
        """
    @property
    def side(self, /) -> Side:
        """
        Which of its tables.
        """

@final
class DriftEffect:
    """
    What a change is to a definition.
    """
    BLOCKS: Final[DriftEffect]
    """
    It does not run until its fields or the table are changed, or the table is accepted as it is.
    """
    HARMLESS: Final[DriftEffect]
    """
    Nothing.
    """
    NEEDS_MAPPING: Final[DriftEffect]
    """
    It goes on, and somebody should look at its fields.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> DriftEffect: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Driver:
    """
    How a volume is reached.
    """
    FTP: Final[Driver]
    """
    FTP, FTPS or SFTP.
    """
    HTTP: Final[Driver]
    """
    HTTP or WebDAV.
    """
    LOCAL: Final[Driver]
    """
    A directory of this machine.
    """
    S3: Final[Driver]
    """
    An S3 bucket.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> Driver: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class ErrorClass:
    """
    What a code asks of whoever sees it.
    """
    ACCESS: Final[ErrorClass]
    """
    Somebody is not let in.
    """
    CANCELLED: Final[ErrorClass]
    """
    Somebody wanted it so.
    """
    DEFECT: Final[ErrorClass]
    """
    A defect of this library.
    """
    HOST: Final[ErrorClass]
    """
    The host's own code failed.
    """
    LINE: Final[ErrorClass]
    """
    The line or the other side's pace: the same call may succeed later.
    """
    ROOM: Final[ErrorClass]
    """
    There is no more room.
    """
    STATE: Final[ErrorClass]
    """
    Something stands otherwise than the call takes it to: look again, decide, or wait.
    """
    STORAGE: Final[ErrorClass]
    """
    What is stored cannot be read or written.
    """
    USAGE: Final[ErrorClass]
    """
    The call or the configuration has to be another one.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ErrorClass: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class ErrorCode:
    """
    The code of a failure: the contract, while its text is for people.
    """
    AUTH: Final[ErrorCode]
    """
    The other side does not accept the credentials.
    """
    BUSY: Final[ErrorCode]
    """
    Another run holds what this one needs.
    """
    CANCELLED: Final[ErrorCode]
    """
    The call was cancelled.
    """
    CONFLICT: Final[ErrorCode]
    """
    Both sides changed and no policy decides, or a row was changed by someone else meanwhile.
    """
    CORRUPT: Final[ErrorCode]
    """
    The book or a file in it does not hold together.
    """
    GUARD: Final[ErrorCode]
    """
    A guard stopped the run before it did anything.
    """
    HOST: Final[ErrorCode]
    """
    The host's own code failed.
    """
    INTERNAL: Final[ErrorCode]
    """
    A defect of this library.
    """
    INVALID: Final[ErrorCode]
    """
    An argument or a configuration cannot be used as it stands.
    """
    NEWER: Final[ErrorCode]
    """
    The book was written by a newer version.
    """
    NOT_FOUND: Final[ErrorCode]
    """
    What was named does not exist, or not for this tenant.
    """
    OFFLINE: Final[ErrorCode]
    """
    The other side cannot be reached.
    """
    PERMISSION: Final[ErrorCode]
    """
    The credentials are good and do not allow this.
    """
    QUOTA: Final[ErrorCode]
    """
    No space or no quota is left.
    """
    STALE: Final[ErrorCode]
    """
    The state that was previewed has moved on.
    """
    STORAGE: Final[ErrorCode]
    """
    Reading or writing a place or the book failed.
    """
    THROTTLED: Final[ErrorCode]
    """
    The other side asks for a slower pace.
    """
    TIMEOUT: Final[ErrorCode]
    """
    The other side did not answer in time; whether it acted is unknown.
    """
    UNSUPPORTED: Final[ErrorCode]
    """
    The place cannot do what was asked.
    """
    WRONG_KEY: Final[ErrorCode]
    """
    The key does not open what it should.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ErrorCode: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class ErrorFilter:
    """
    Which failures are wanted; every field that is set narrows the list.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, connection: str | None = None, volume: str | None = None, conduit: str | None = None, job: str | None = None, error_type: SyncErrorType | None = None, unresolved: bool | None = None) -> ErrorFilter: ...
    def __repr__(self, /) -> str: ...
    @property
    def conduit(self, /) -> str | None:
        """
        Of this conduit.
        """
    @property
    def connection(self, /) -> str | None:
        """
        Of this cloud connection.
        """
    @property
    def error_type(self, /) -> SyncErrorType | None:
        """
        Of this class.
        """
    @property
    def job(self, /) -> str | None:
        """
        Of this cloud sync job.
        """
    @property
    def unresolved(self, /) -> bool | None:
        """
        Only those that nobody has marked as made good.
        """
    @property
    def volume(self, /) -> str | None:
        """
        Of this volume.
        """

@final
class ErrorPage:
    """
    A page of failures, the latest first.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def errors(self, /) -> builtins.list[SyncError]:
        """
        1,000 at most.
        """
    @property
    def next(self, /) -> str | None:
        """
        What to give for the next page; none at the end.
        """

@final
class ExpiredActivity:
    """
    What becomes of lines of activity that have outlived their time.
    """
    DELETED: Final[ExpiredActivity]
    """
    They are deleted.
    """
    DETACHED: Final[ExpiredActivity]
    """
    On PostgreSQL, a month that is over is detached and stays as a table of its own.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ExpiredActivity: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class FieldDirection:
    """
    Which way a field goes.
    """
    BIDIRECTIONAL: Final[FieldDirection]
    """
    Both ways.
    """
    PULL_ONLY: Final[FieldDirection]
    """
    From the target to the source.
    """
    PUSH_ONLY: Final[FieldDirection]
    """
    From the source to the target.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> FieldDirection: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class FieldValues:
    """
    What both sides have in a field. A value is the JSON that it has in the row of a host (docs/rows.md); one that has no such
    form is a text for people.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def is_same(self, /) -> bool:
        """
        Whether the target holds what it would be given.
        """
    @property
    def source(self, /) -> str:
        """
        The column of the source.
        """
    @property
    def source_value(self, /) -> str | None:
        """
        The source's value; none where it has no such row.
        """
    @property
    def target(self, /) -> str:
        """
        The column of the target.
        """
    @property
    def target_value(self, /) -> str | None:
        """
        The target's value; none where it has no such row.
        """

@final
class FileAt:
    """
    A file of a volume, by what is known of it: its id, or its path in the part of the session's user or of an app.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, id: str | None = None, path: str | None = None, app_id: str | None = None) -> FileAt: ...
    def __repr__(self, /) -> str: ...
    @property
    def app_id(self, /) -> str | None:
        """
        The app in whose part the path is.
        """
    @property
    def id(self, /) -> str | None:
        """
        Its id.
        """
    @property
    def path(self, /) -> str | None:
        """
        Its path.
        """

@final
class FileFilter:
    """
    Which files a list holds.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, app_id: str | None = None, prefix: str | None = None) -> FileFilter: ...
    def __repr__(self, /) -> str: ...
    @property
    def app_id(self, /) -> str | None:
        """
        Those of this app; none: those of the session's user.
        """
    @property
    def prefix(self, /) -> str | None:
        """
        Only those whose path begins like this.
        """

@final
class FileLink:
    """
    A link that was made.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def link(self, /) -> SharedLink:
        """
        What the book knows of it.
        """
    @property
    def url(self, /) -> str:
        """
        The URL: a secret. Whoever has it can read the file until the link expires.
        """

@final
class FilePage:
    """
    A page of files.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def files(self, /) -> builtins.list[StoredFile]:
        """
        1,000 at most.
        """
    @property
    def next(self, /) -> str | None:
        """
        What to give for the next page; none at the end.
        """

@final
class FileReader:
    """
    An open file, read with `for` or `async for`. Letting go of it ends the read.
    """
    def __aiter__(self, /) -> FileReader: ...
    def __anext__(self, /) -> Awaitable[builtins.bytes]: ...
    def __iter__(self, /) -> FileReader: ...
    def __next__(self, /) -> builtins.bytes: ...
    def next_piece(self, /) -> builtins.bytes | None:
        """
        The next piece; none after the last, and after an error.

        Errors: `stale` when the file is not what was put any more; as the place.
        """
    def next_piece_async(self, /) -> Awaitable[builtins.bytes | None]:
        """
        The next piece; none after the last, and after an error.

        Errors: `stale` when the file is not what was put any more; as the place.

        To be awaited.
        """

@final
class Filters:
    """
    Which items take part. A pattern without a slash is matched against the last component at any depth (`*.tmp`), one with
    a slash against the whole path from the root (`docs/draft-*`). `*` and `?` stop at a slash, `**` does not.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, include: SupportsGetItem[int, str] | None = None, exclude: SupportsGetItem[int, str] | None = None, index_rules: bool | None = None) -> Filters: ...
    def __repr__(self, /) -> str: ...
    @property
    def exclude(self, /) -> builtins.list[str] | None:
        """
        What one of them matches does not take part; of a directory, nothing beneath it does.
        """
    @property
    def include(self, /) -> builtins.list[str] | None:
        """
        When there are any, a file takes part only if one of them matches it.
        """
    @property
    def index_rules(self, /) -> bool | None:
        """
        Hidden and temporary files do not take part.
        """

@final
class Finding:
    """
    Something that a check of a book found.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def tenant(self, /) -> str | None:
        """
        Whose rows; none where the engine speaks of the whole book.
        """
    @property
    def trouble(self, /) -> Trouble:
        """
        Its kind.
        """
    @property
    def words(self, /) -> str:
        """
        What was found.
        """

@final
class GenerationSummary:
    """
    One execution of a conduit.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def bytes(self, /) -> int:
        """
        Bytes that were carried.
        """
    @property
    def completed_at(self, /) -> str | None:
        """
        When it ended; none while it is under way.
        """
    @property
    def conduit(self, /) -> str:
        """
        The conduit.
        """
    @property
    def counts(self, /) -> Counts:
        """
        What it did.
        """
    @property
    def error(self, /) -> str | None:
        """
        What ended it, if it failed.
        """
    @property
    def generation(self, /) -> int:
        """
        Which execution it was, from 1.
        """
    @property
    def source(self, /) -> str:
        """
        Its source, as the book names it.
        """
    @property
    def started_at(self, /) -> str:
        """
        When it began.
        """
    @property
    def status(self, /) -> str:
        """
        `running`, `completed`, `completed_with_errors`, `failed`, `cancelled` or `paused`.
        """
    @property
    def target(self, /) -> str:
        """
        Where it goes.
        """
    @property
    def verification(self, /) -> str:
        """
        What the look at both sides after it showed.
        """

@final
class Guard:
    """
    A guard that stops a run before it does anything.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def advice(self, /) -> str:
        """
        What lifts it.
        """
    @property
    def name(self, /) -> str:
        """
        Stable text of the guard, to confirm it with.
        """
    @property
    def reason(self, /) -> str:
        """
        What it saw.
        """

@final
class Holding:
    """
    What one user or app holds on a volume.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def owner(self, /) -> str:
        """
        The user's id, or the app.
        """
    @property
    def quota_limit(self, /) -> int | None:
        """
        Bytes it may hold; none: only counted.
        """
    @property
    def quota_used(self, /) -> int:
        """
        Bytes it holds.
        """

@disjoint_base
class HostAnswer:
    """
    What a host answers.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @final
    class Absent(HostAnswer):
        """
        There is no such item.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> HostAnswer.Absent: ...
    @final
    class Done(HostAnswer):
        """
        It was done.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> HostAnswer.Done: ...
    @final
    class Found(HostAnswer):
        """
        The item.
        """
        __match_args__: Final = ("entry",)
        def __new__(cls, /, entry: HostEntry) -> HostAnswer.Found: ...
        @property
        def entry(self, /) -> HostEntry:
            """
            What it is.
            """
    @final
    class Listing(HostAnswer):
        """
        Items of a directory.
        """
        __match_args__: Final = ("entries", "next")
        def __new__(cls, /, entries: SupportsGetItem[int, HostEntry], next: str | None) -> HostAnswer.Listing: ...
        @property
        def entries(self, /) -> builtins.list[HostEntry]:
            """
            All of them, or a page of 1,000 at most.
            """
        @property
        def next(self, /) -> str | None:
            """
            What is asked for the next page; none when this was the last.
            """

@final
class HostColumn:
    """
    A column of a table of the host's.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, name: str, kind: DatumKind, *, member: DatumKind | None = None, is_nullable: bool | None = None, is_computed: bool | None = None, max_length: SupportsIndex | None = None, digits: SupportsIndex | None = None, decimal_places: SupportsIndex | None = None) -> HostColumn: ...
    def __repr__(self, /) -> str: ...
    @property
    def decimal_places(self, /) -> int | None:
        """
        How many of them are after the point.
        """
    @property
    def digits(self, /) -> int | None:
        """
        The digits of a decimal.
        """
    @property
    def is_computed(self, /) -> bool | None:
        """
        Whether the host computes it: it is read, never written.
        """
    @property
    def is_nullable(self, /) -> bool | None:
        """
        Whether it may hold nothing; all but those of the key may unless told otherwise.
        """
    @property
    def kind(self, /) -> DatumKind:
        """
        What its values are.
        """
    @property
    def max_length(self, /) -> int | None:
        """
        The most characters that a text may have, or bytes that bytes may have.
        """
    @property
    def member(self, /) -> DatumKind | None:
        """
        What the members are, where its values are lists or sets.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """

@final
class HostEntry:
    """
    An item of the host's files.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, name: str, kind: HostKind, *, bytes: SupportsIndex | None = None, modified_at: str | None = None, version: str | None = None, ident: str | None = None) -> HostEntry: ...
    def __repr__(self, /) -> str: ...
    @property
    def bytes(self, /) -> int | None:
        """
        How many bytes a file has.
        """
    @property
    def ident(self, /) -> str | None:
        """
        Stays the same when the item is renamed; none where the host has no such thing.
        """
    @property
    def kind(self, /) -> HostKind:
        """
        What it is.
        """
    @property
    def modified_at(self, /) -> str | None:
        """
        When a file was last modified, with the precision the host said.
        """
    @property
    def name(self, /) -> str:
        """
        Its name in its directory.
        """
    @property
    def version(self, /) -> str | None:
        """
        Changes whenever the content of a file does. Needed where there is no modified time.
        """

@final
class HostKeys:
    """
    The key of a book's secrets in the host's keeping: in a key management service, a hardware module, the system's
    keychain. Requests are read with `for` or `async for` and answered; they are rare, one for each tenant and process.
    `portbook.serve_keys` does that for an object that has the key. A `with` block ends it.
    """
    def __aiter__(self, /) -> HostKeys: ...
    def __anext__(self, /) -> Awaitable[KeyRequest]: ...
    def __enter__(self, /) -> HostKeys:
        """
        The handle itself.
        """
    def __exit__(self, /, *_exception: "object") -> None:
        """
        Ends it.
        """
    def __iter__(self, /) -> HostKeys: ...
    def __new__(cls, /, timeout_ms: SupportsIndex | None = None) -> HostKeys:
        """
        To be given to a book that is opened. A request waits so long for its answer; a minute unless told otherwise.

        Errors: `invalid` when the time is negative.
        """
    def __next__(self, /) -> KeyRequest: ...
    def bytes(self, /, id: SupportsIndex) -> builtins.bytes:
        """
        The bytes that a request is about.

        Errors: `not_found` when nobody waits for its answer.
        """
    def fail(self, /, id: SupportsIndex, reason: str, code: ErrorCode | None = None) -> None:
        """
        Answers that it failed, in the host's words: `host` unless a code is given, `offline` and `timeout` when
        a later call may succeed, `wrong_key` when the host's key is known to be another one.

        Errors: `not_found` when nobody waits for it.
        """
    def next_request(self, /) -> KeyRequest | None:
        """
        The next request; none after `shutdown`. A wait that is given up loses none.

        Errors: `invalid` after a fork.
        """
    def next_request_async(self, /) -> Awaitable[KeyRequest | None]:
        """
        The next request; none after `shutdown`. A wait that is given up loses none.

        Errors: `invalid` after a fork.

        To be awaited.
        """
    def reply(self, /, id: SupportsIndex, key_id: str, bytes: builtins.bytes | bytearray | memoryview) -> None:
        """
        Answers with the bytes wrapped or unwrapped. `key_id` names the key that wrapped them; empty for
        `unwrap`.

        Errors: `not_found` when nobody waits for it.
        """
    def shutdown(self, /) -> None:
        """
        Ends it: nobody is asked any more.
        """

@final
class HostKind:
    """
    What an item of the host's files is.
    """
    DIR: Final[HostKind]
    """
    A directory.
    """
    FILE: Final[HostKind]
    """
    A file.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> HostKind: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class HostOptions:
    """
    What the host's files are like. Nothing calls into the host: it takes requests and answers them.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, display: str | None = None, case_insensitive: bool | None = None, unicode_insensitive: bool | None = None, windows_names: bool | None = None, max_name_bytes: SupportsIndex | None = None, time_precision_ns: SupportsIndex | None = None, sets_modified: bool | None = None, read_only: bool | None = None, timeout_ms: SupportsIndex | None = None) -> HostOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def case_insensitive(self, /) -> bool | None:
        """
        Names that differ only in case are the same name.
        """
    @property
    def display(self, /) -> str | None:
        """
        How the place is shown to people; the key unless told otherwise.
        """
    @property
    def max_name_bytes(self, /) -> int | None:
        """
        The longest name in bytes; 255 unless told otherwise.
        """
    @property
    def read_only(self, /) -> bool | None:
        """
        Nothing can be written.
        """
    @property
    def sets_modified(self, /) -> bool | None:
        """
        The host sets modified times when it is asked to.
        """
    @property
    def time_precision_ns(self, /) -> int | None:
        """
        The granularity of modified times; a microsecond unless told otherwise, a whole second at most.
        """
    @property
    def timeout_ms(self, /) -> int | None:
        """
        How long a request waits for its answer before it fails with `timeout`; 60,000 unless told otherwise.
        """
    @property
    def unicode_insensitive(self, /) -> bool | None:
        """
        Names that differ only in Unicode normalisation are the same name.
        """
    @property
    def windows_names(self, /) -> bool | None:
        """
        Names that Windows cannot hold cannot be held.
        """

@final
class HostRecordOptions:
    """
    What the host's tables are like. Nothing calls into the host: it takes requests and answers them.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, display: str | None = None, has_versions: bool | None = None, has_changes: bool | None = None, write_rows: SupportsIndex | None = None, timeout_ms: SupportsIndex | None = None) -> HostRecordOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def display(self, /) -> str | None:
        """
        How the store is shown to people; the key unless told otherwise.
        """
    @property
    def has_changes(self, /) -> bool | None:
        """
        The host can tell what has changed: it answers `changes`, and definitions can have the cursor `log`.
        """
    @property
    def has_versions(self, /) -> bool | None:
        """
        Every row has a version, a text in the field `@version`, which changes whenever the row does; the host writes a row only when it
        still has the version that is given along. Without, a row is looked at right before it is written, and a change between
        the look and the write can be lost.
        """
    @property
    def timeout_ms(self, /) -> int | None:
        """
        How long a request waits for its answer before it fails with `timeout`; 60,000 unless told otherwise.
        """
    @property
    def write_rows(self, /) -> int | None:
        """
        How many rows are best written at once; 500 unless told otherwise, 1,000 at most.
        """

@final
class HostRecords:
    """
    Tables that the host holds: a source or a target of definitions. Requests are read with `for` or `async for` and
    answered from any thread and in any order; `portbook.serve_records` does that for an object that has the rows. One
    that is not answered in time fails with `timeout`. A `with` block ends it.
    """
    def __aiter__(self, /) -> HostRecords: ...
    def __anext__(self, /) -> Awaitable[RecordRequest]: ...
    def __enter__(self, /) -> HostRecords:
        """
        The handle itself.
        """
    def __exit__(self, /, *_exception: "object") -> None:
        """
        Ends it.
        """
    def __iter__(self, /) -> HostRecords: ...
    def __next__(self, /) -> RecordRequest: ...
    def fail(self, /, id: SupportsIndex, reason: str, code: ErrorCode | None = None) -> None:
        """
        Answers that it failed, in the host's words: with the code `host` unless another is given.

        Errors: As `reply`.
        """
    def next_request(self, /) -> RecordRequest | None:
        """
        The next request; none after the end. A wait that is given up loses none.

        Errors: `invalid` after a fork.
        """
    def next_request_async(self, /) -> Awaitable[RecordRequest | None]:
        """
        The next request; none after the end. A wait that is given up loses none.

        Errors: `invalid` after a fork.

        To be awaited.
        """
    def reply(self, /, id: SupportsIndex, answer: RecordAnswer) -> None:
        """
        Answers a request.

        Errors: `not_found` when nobody waits for it: it was answered before, or too late.
        """
    def shutdown(self, /) -> None:
        """
        Ends it: nobody is asked any more, and who waits for an answer gets `host`. Idempotent.
        """

@disjoint_base
class HostRequest:
    """
    What the engine asks of the host's files. Paths are relative to the root, components separated by `/`, and empty for the
    root itself. Each is answered by `reply`, `reply_bytes` or `fail` with its id, in any order.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def id(self, /) -> int:
        """
        Names the request: give it to the answer.
        """
    @final
    class Flush(HostRequest):
        """
        Everything that was answered is made durable: `HostAnswer::Done`.
        """
        __match_args__: Final = ("id",)
        def __new__(cls, /, id: SupportsIndex) -> HostRequest.Flush: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
    @final
    class ListDir(HostRequest):
        """
        The items of a directory: `HostAnswer::Listing`, or `Absent` when there is no such directory.
        """
        __match_args__: Final = ("id", "path", "after")
        def __new__(cls, /, id: SupportsIndex, path: str, after: str | None) -> HostRequest.ListDir: ...
        @property
        def after(self, /) -> str | None:
            """
            Where the page before ended; none for the first page.
            """
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def path(self, /) -> str:
            """
            The directory.
            """
    @final
    class Look(HostRequest):
        """
        One item: `HostAnswer::Found`, or `Absent`.
        """
        __match_args__: Final = ("id", "path")
        def __new__(cls, /, id: SupportsIndex, path: str) -> HostRequest.Look: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def path(self, /) -> str:
            """
            The item.
            """
    @final
    class MakeDir(HostRequest):
        """
        A directory is made, in one that is there: `HostAnswer::Done`.
        """
        __match_args__: Final = ("id", "path")
        def __new__(cls, /, id: SupportsIndex, path: str) -> HostRequest.MakeDir: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def path(self, /) -> str:
            """
            The directory.
            """
    @final
    class ReadAt(HostRequest):
        """
        A piece of a file: `reply_bytes`; fewer bytes only where the file ends.
        """
        __match_args__: Final = ("id", "path", "offset", "length")
        def __new__(cls, /, id: SupportsIndex, path: str, offset: SupportsIndex, length: SupportsIndex) -> HostRequest.ReadAt: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def length(self, /) -> int:
            """
            How many bytes, 1 MiB at most.
            """
        @property
        def offset(self, /) -> int:
            """
            Where the piece begins.
            """
        @property
        def path(self, /) -> str:
            """
            The file.
            """
    @final
    class RemoveItem(HostRequest):
        """
        A file or an empty directory is removed: `HostAnswer::Done`, also when it is gone already.
        """
        __match_args__: Final = ("id", "path")
        def __new__(cls, /, id: SupportsIndex, path: str) -> HostRequest.RemoveItem: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def path(self, /) -> str:
            """
            The item.
            """
    @final
    class Rename(HostRequest):
        """
        An item is renamed, a directory with all that is in it: `HostAnswer::Done`. It happens at once or not at all. Where
        it may not replace and something is there: `fail` with the code `conflict`.
        """
        __match_args__: Final = ("id", "path", "to", "replace")
        def __new__(cls, /, id: SupportsIndex, path: str, to: str, replace: bool) -> HostRequest.Rename: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def path(self, /) -> str:
            """
            Where it is.
            """
        @property
        def replace(self, /) -> bool:
            """
            A file may be there, and is replaced.
            """
        @property
        def to(self, /) -> str:
            """
            Where it goes.
            """
    @final
    class SetModified(HostRequest):
        """
        A file's modified time is set: `HostAnswer::Done`. Only asked when the host says that it does.
        """
        __match_args__: Final = ("id", "path", "modified_at")
        def __new__(cls, /, id: SupportsIndex, path: str, modified_at: str) -> HostRequest.SetModified: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def modified_at(self, /) -> str:
            """
            The time, to the nanosecond.
            """
        @property
        def path(self, /) -> str:
            """
            The file.
            """
    @final
    class WriteAt(HostRequest):
        """
        A piece of a file is written, the pieces of a file in order and one at a time: `HostAnswer::Done`. The bytes are got
        by `bytes`. At offset 0 the file is made, or emptied.
        """
        __match_args__: Final = ("id", "path", "offset", "length")
        def __new__(cls, /, id: SupportsIndex, path: str, offset: SupportsIndex, length: SupportsIndex) -> HostRequest.WriteAt: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def length(self, /) -> int:
            """
            How many bytes, 1 MiB at most; 0 for a file without content.
            """
        @property
        def offset(self, /) -> int:
            """
            Where the piece begins: the number of bytes the file has by then.
            """
        @property
        def path(self, /) -> str:
            """
            The file.
            """

@final
class HostStore:
    """
    Files that the host holds: a place that conduits and volumes can have. Requests are read with `for` or `async for`
    and answered from any thread and in any order; `portbook.serve` does that for an object that has the files. One that
    is not answered in time fails with `timeout`. A `with` block ends it.
    """
    def __aiter__(self, /) -> HostStore: ...
    def __anext__(self, /) -> Awaitable[HostRequest]: ...
    def __enter__(self, /) -> HostStore:
        """
        The handle itself.
        """
    def __exit__(self, /, *_exception: "object") -> None:
        """
        Ends it.
        """
    def __iter__(self, /) -> HostStore: ...
    def __next__(self, /) -> HostRequest: ...
    def bytes(self, /, id: SupportsIndex) -> builtins.bytes:
        """
        The bytes of a `WriteAt`.

        Errors: `not_found` when nobody waits for its answer.
        """
    def fail(self, /, id: SupportsIndex, reason: str, code: ErrorCode | None = None) -> None:
        """
        Answers that it failed, in the host's words: with the code `host` unless another is given.

        Errors: As `reply`.
        """
    def next_request(self, /) -> HostRequest | None:
        """
        The next request; none after the end. A wait that is given up loses none.

        Errors: `invalid` after a fork.
        """
    def next_request_async(self, /) -> Awaitable[HostRequest | None]:
        """
        The next request; none after the end. A wait that is given up loses none.

        Errors: `invalid` after a fork.

        To be awaited.
        """
    def reply(self, /, id: SupportsIndex, answer: HostAnswer) -> None:
        """
        Answers a request.

        Errors: `not_found` when nobody waits for it: it was answered before, or too late.
        """
    def reply_bytes(self, /, id: SupportsIndex, bytes: builtins.bytes | bytearray | memoryview) -> None:
        """
        Answers a `ReadAt`.

        Errors: As `reply`.
        """
    def shutdown(self, /) -> None:
        """
        Ends it: nobody is asked any more, and who waits for an answer gets `host`. Idempotent.
        """

@final
class HostTable:
    """
    A table of the host's.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, columns: SupportsGetItem[int, HostColumn], *, key: SupportsGetItem[int, str] | None = None, row_estimate: SupportsIndex | None = None) -> HostTable: ...
    def __repr__(self, /) -> str: ...
    @property
    def columns(self, /) -> builtins.list[HostColumn]:
        """
        Its columns, in their order.
        """
    @property
    def key(self, /) -> builtins.list[str] | None:
        """
        The columns of its primary key; without one, a definition has to name a key.
        """
    @property
    def row_estimate(self, /) -> int | None:
        """
        How many rows it has, about.
        """

@final
class IndexShape:
    """
    An index.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def columns(self, /) -> builtins.list[str]:
        """
        Its columns; expressions are left out.
        """
    @property
    def definition(self, /) -> str | None:
        """
        It in the words of its store.
        """
    @property
    def is_plain(self, /) -> bool:
        """
        Whether it covers all rows, and columns only (no expression, no condition).
        """
    @property
    def is_unique(self, /) -> bool:
        """
        Whether no two rows have the same.
        """
    @property
    def method(self, /) -> str | None:
        """
        How it is built.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """

@final
class Inspection:
    """
    A conflict with what is needed to decide about it.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def base(self, /) -> AgreedItem | None:
        """
        What both sides last agreed on; none where they never did.
        """
    @property
    def choices(self, /) -> builtins.list[Resolution]:
        """
        What can be decided; `rename-source` and `rename-destination` stand for `rename` of that side.
        """
    @property
    def conflict(self, /) -> Conflict:
        """
        The conflict.
        """

@final
class Introspection:
    """
    A reading of the metadata of a database into the inventory of the book.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def ended_at(self, /) -> str | None:
        """
        When it ended.
        """
    @property
    def instance(self, /) -> str:
        """
        The id of the database in the book (`database_instances`).
        """
    @property
    def started_at(self, /) -> str:
        """
        When it began.
        """
    @property
    def stats(self, /) -> str | None:
        """
        What was read: how many `tables`, `views`, `columns`, `constraints` and `indexes`, and how many tables `failed` to be described;
        a JSON object.
        """

@final
class ItemFailure:
    """
    An item that was not carried, and why. Code `stale`: it moved on since it was previewed and was left alone.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> ErrorCode:
        """
        What kind of failure it was.
        """
    @property
    def is_retryable(self, /) -> bool:
        """
        Whether the same may succeed later as it stands.
        """
    @property
    def path(self, /) -> str:
        """
        Its path.
        """
    @property
    def text(self, /) -> str:
        """
        What was wrong.
        """

@final
class ItemKind:
    """
    What an item is.
    """
    DIR: Final[ItemKind]
    """
    A directory.
    """
    FILE: Final[ItemKind]
    """
    A regular file.
    """
    NATIVE_DOC: Final[ItemKind]
    """
    A document that exists only inside a service.
    """
    OTHER: Final[ItemKind]
    """
    A socket, a device, a pipe.
    """
    SYMLINK: Final[ItemKind]
    """
    A symbolic link.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ItemKind: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class KeyAction:
    """
    What is asked of a host that keeps a key.
    """
    UNWRAP: Final[KeyAction]
    """
    The bytes are to be decrypted.
    """
    WRAP: Final[KeyAction]
    """
    The bytes, a key of 32 bytes, are to be encrypted.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> KeyAction: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class KeyOptions:
    """
    The key of a book's secrets: one of the two. One that the host keeps elsewhere is given as `HostKeys`.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, raw_hex: str | None = None, passphrase: str | None = None, cost: Argon2Cost | None = None) -> KeyOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def cost(self, /) -> Argon2Cost | None:
        """
        What the passphrase costs to try, where the key is new.
        """
    @property
    def passphrase(self, /) -> str | None:
        """
        A passphrase.
        """
    @property
    def raw_hex(self, /) -> str | None:
        """
        32 random bytes, as 64 hexadecimal digits.
        """

@final
class KeyRequest:
    """
    What the engine asks of a host that keeps the key of the book's secrets: answered by `reply` or `fail`. The bytes are
    got by `bytes`, and are a secret where the action is `wrap`.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def action(self, /) -> KeyAction:
        """
        What is to be done.
        """
    @property
    def context(self, /) -> str:
        """
        What the key is for, as hexadecimal text: associated data, for a service that takes it.
        """
    @property
    def id(self, /) -> int:
        """
        Names the request.
        """
    @property
    def key_id(self, /) -> str | None:
        """
        The name of the host's key, as `wrap` was answered; none for `wrap`.
        """

@final
class ListAccess:
    """
    The application that is let in at a SharePoint site.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, tenant: str | None = None, client_id: str | None = None, client_secret: str | None = None, ca_file: str | None = None) -> ListAccess: ...
    def __repr__(self, /) -> str: ...
    @property
    def ca_file(self, /) -> str | None:
        """
        Trusts the authorities in this PEM file instead of the system's.
        """
    @property
    def client_id(self, /) -> str | None:
        """
        The id of the application, where the URL does not name it.
        """
    @property
    def client_secret(self, /) -> str | None:
        """
        Its secret; or the PEM of a private key (RSA, not encrypted) and of the certificate that the application is registered
        with.
        """
    @property
    def tenant(self, /) -> str | None:
        """
        The tenant of Entra, by its id or its domain, where the URL does not name it.
        """

@final
class ListInfo:
    """
    A list that an index serves: a filter has to name a front of `by`.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def by(self, /) -> builtins.list[str]:
        """
        The columns to compare with, in the order of the index.
        """
    @property
    def latest(self, /) -> str | None:
        """
        A column of times by which the rows come, the latest first; none: in the order of creation.
        """

@final
class NameClash:
    """
    What becomes of an item whose name one side cannot hold, or cannot tell from another's.
    """
    ALIAS: Final[NameClash]
    """
    That side gets it under an alias.
    """
    SKIP: Final[NameClash]
    """
    It is left alone and waits for a person.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> NameClash: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Namespace:
    """
    Whose part of a volume a file is in.
    """
    APPS: Final[Namespace]
    """
    That of apps.
    """
    USERS: Final[Namespace]
    """
    That of users.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> Namespace: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class NewFile:
    """
    A file to be put on a volume.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, path: str | None = None, filename: str | None = None, app_id: str | None = None, metadata: str | None = None, is_public: bool | None = None) -> NewFile: ...
    def __repr__(self, /) -> str: ...
    @property
    def app_id(self, /) -> str | None:
        """
        The app whose part of the volume it goes to; none: that of the session's user.
        """
    @property
    def filename(self, /) -> str | None:
        """
        The name it was given; that of the path unless told otherwise.
        """
    @property
    def is_public(self, /) -> bool | None:
        """
        Whether anyone may read it.
        """
    @property
    def metadata(self, /) -> str | None:
        """
        The host's own: a JSON object.
        """
    @property
    def path(self, /) -> str | None:
        """
        Where it goes within its area; none: the volume finds a path.
        """

@final
class NewUser:
    """
    A user to be made.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, email: str | None = None, display_name: str | None = None) -> NewUser: ...
    def __repr__(self, /) -> str: ...
    @property
    def display_name(self, /) -> str | None:
        """
        How the user is shown.
        """
    @property
    def email(self, /) -> str | None:
        """
        Unique per tenant.
        """

@final
class Pin:
    """
    A choice for one file, or for everything beneath one directory. The deepest pin decides, and outranks every rule.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, path: str, is_held: bool) -> Pin: ...
    def __repr__(self, /) -> str: ...
    @property
    def is_held(self, /) -> bool:
        """
        Whether the target holds it.
        """
    @property
    def path(self, /) -> str:
        """
        The file or directory; it need not exist.
        """

@disjoint_base
class Place:
    """
    Where an end of a conduit is.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @staticmethod
    def directory(path: str) -> Place:
        """
        A directory of this machine.
        """
    @staticmethod
    def host(key: str) -> Place:
        """
        Files that the host itself holds, by the key that the host store was made with.
        """
    @staticmethod
    def remote(url: str, access: Access | None = None) -> Place:
        """
        A directory behind a URL: `s3://`, `sftp://`, `ftp://`, `ftps://`, `dav://`, `davs://`, `http://`, `https://`, without
        a secret.
        """
    @staticmethod
    def saved(volume: str, path: str | None = None) -> Place:
        """
        A directory of a saved volume, by the volume's name or id; its root without a path.
        """
    @final
    class Directory(Place):
        """
        A directory of this machine.
        """
        __match_args__: Final = ("path",)
        def __new__(cls, /, path: str) -> Place.Directory: ...
        @property
        def path(self, /) -> str:
            """
            Its path.
            """
    @final
    class Host(Place):
        """
        Files that the host itself holds: see `HostStore`.
        """
        __match_args__: Final = ("key",)
        def __new__(cls, /, key: str) -> Place.Host: ...
        @property
        def key(self, /) -> str:
            """
            The key that the host store was made with.
            """
    @final
    class Remote(Place):
        """
        A directory behind a URL: `s3://`, `sftp://`, `ftp://`, `ftps://`, `dav://`, `davs://`, `http://`, `https://`.
        """
        __match_args__: Final = ("url", "access")
        def __new__(cls, /, url: str, access: Access | None) -> Place.Remote: ...
        @property
        def access(self, /) -> Access | None:
            """
            What lets one in.
            """
        @property
        def url(self, /) -> str:
            """
            The URL, without a secret.
            """
    @final
    class Saved(Place):
        """
        A directory of a saved volume.
        """
        __match_args__: Final = ("volume", "path")
        def __new__(cls, /, volume: str, path: str | None) -> Place.Saved: ...
        @property
        def path(self, /) -> str | None:
            """
            The path there; none or empty for its root.
            """
        @property
        def volume(self, /) -> str:
            """
            The volume's name or id.
            """

@final
class PostgresOptions:
    """
    How a book on a server is used.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, schema: str | None = None, connections: SupportsIndex | None = None, tls: TlsMode | None = None, ca_file: str | None = None, application_role: str | None = None, allow_bypass: bool | None = None, acquire_timeout_ms: SupportsIndex | None = None, connect_timeout_ms: SupportsIndex | None = None, statement_timeout_ms: SupportsIndex | None = None, retry_for_ms: SupportsIndex | None = None) -> PostgresOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def acquire_timeout_ms(self, /) -> int | None:
        """
        How long a call waits for a connection before it is `busy`; 30,000 unless told otherwise.
        """
    @property
    def allow_bypass(self, /) -> bool | None:
        """
        Opens also as a superuser or a role with `BYPASSRLS`.
        """
    @property
    def application_role(self, /) -> str | None:
        """
        A role that gets what it needs to use the book, and nothing else; given by the owner of the tables on opening.
        """
    @property
    def ca_file(self, /) -> str | None:
        """
        Trusts these certificates (PEM) instead of the system's.
        """
    @property
    def connect_timeout_ms(self, /) -> int | None:
        """
        How long connecting may take; 10,000 unless told otherwise.
        """
    @property
    def connections(self, /) -> int | None:
        """
        Connections at most, at least 1; 4 unless told otherwise.
        """
    @property
    def retry_for_ms(self, /) -> int | None:
        """
        How long a transaction that was lost is tried again; 10,000 unless told otherwise.
        """
    @property
    def schema(self, /) -> str | None:
        """
        The PostgreSQL schema that holds the book's tables; `portbook` unless told otherwise.
        """
    @property
    def statement_timeout_ms(self, /) -> int | None:
        """
        How long one statement may take; 300,000 unless told otherwise.
        """
    @property
    def tls(self, /) -> TlsMode | None:
        """
        Overrides the URL's `sslmode`. Where neither says anything: `prefer` to this machine, `verify_full` to any other.
        """

@final
class Preview:
    """
    A preview that is stored in the book. Iterating over it, with `for` or `async for`, reads its changes.
    """
    def __aiter__(self, /) -> AsyncIterator[Change]:
        """
        All its changes in the order in which they are applied.
        """
    def __iter__(self, /) -> Iterator[Change]:
        """
        All its changes in the order in which they are applied.
        """
    def changes(self, /, filter: ChangeFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> ChangePage:
        """
        A page of its changes in the order in which they are applied, after the page that ended there; 1,000 at
        most.

        Errors: `not_found` as for `summary`; `invalid` when `after` is none of its changes' ids.
        """
    def changes_async(self, /, filter: ChangeFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[ChangePage]:
        """
        A page of its changes in the order in which they are applied, after the page that ended there; 1,000 at
        most.

        Errors: `not_found` as for `summary`; `invalid` when `after` is none of its changes' ids.

        To be awaited.
        """
    def discard(self, /) -> None:
        """
        Deletes it.

        Errors: `not_found`; `busy` when a run is applying it or is to be resumed from it.
        """
    def discard_async(self, /) -> Awaitable[None]:
        """
        Deletes it.

        Errors: `not_found`; `busy` when a run is applying it or is to be resumed from it.

        To be awaited.
        """
    @property
    def id(self, /) -> str:
        """
        Names it: give it to `Conduit.apply`.
        """
    def summary(self, /) -> PreviewSummary:
        """
        What it holds in sum.

        Errors: `not_found` when it has expired or was deleted.
        """
    def summary_async(self, /) -> Awaitable[PreviewSummary]:
        """
        What it holds in sum.

        Errors: `not_found` when it has expired or was deleted.

        To be awaited.
        """
    def tick(self, /, changes: SupportsGetItem[int, str], ticked: bool) -> None:
        """
        Ticks changes in or out, by their ids. The second halves of a decision go with the first.

        Errors: `not_found`; `busy` once the preview is being applied; `conflict` when an id is none of this
        preview or names a second half.
        """
    def tick_all(self, /, ticked: bool, filter: ChangeFilter | None = None) -> None:
        """
        Ticks in or out every change that the filter names.

        Errors: As `tick`.
        """
    def tick_all_async(self, /, ticked: bool, filter: ChangeFilter | None = None) -> Awaitable[None]:
        """
        Ticks in or out every change that the filter names.

        Errors: As `tick`.

        To be awaited.
        """
    def tick_async(self, /, changes: SupportsGetItem[int, str], ticked: bool) -> Awaitable[None]:
        """
        Ticks changes in or out, by their ids. The second halves of a decision go with the first.

        Errors: `not_found`; `busy` once the preview is being applied; `conflict` when an id is none of this
        preview or names a second half.

        To be awaited.
        """
    def to_arrow(self, /, filter: "ChangeFilter | None" = None) -> "pyarrow.Table":
        """
        Its changes as a table of Apache Arrow, for which pyarrow has to be installed: a column a field, words as text.
        """
    def to_pandas(self, /, filter: "ChangeFilter | None" = None) -> "pandas.DataFrame":
        """
        Its changes as a data frame of pandas, which has to be installed: a column a field, words as text.
        """

@final
class PreviewFilter:
    """
    Which stored previews are wanted; every field that is set narrows the list.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, conduit: str | None = None, sync_type: SyncType | None = None) -> PreviewFilter: ...
    def __repr__(self, /) -> str: ...
    @property
    def conduit(self, /) -> str | None:
        """
        Of this conduit.
        """
    @property
    def sync_type(self, /) -> SyncType | None:
        """
        Of this kind.
        """

@final
class PreviewOptions:
    """
    How a preview is made.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, checksum: bool | None = None, lifetime_ms: SupportsIndex | None = None) -> PreviewOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def checksum(self, /) -> bool | None:
        """
        Read and hash every file on both sides, whatever sizes and times say.
        """
    @property
    def lifetime_ms(self, /) -> int | None:
        """
        How long the preview can be applied; an hour unless told otherwise.
        """

@final
class PreviewPage:
    """
    A page of stored previews, the last computed first.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def next(self, /) -> str | None:
        """
        What to give for the next page; none at the end.
        """
    @property
    def previews(self, /) -> builtins.list[StoredPreview]:
        """
        1,000 at most.
        """

@final
class PreviewState:
    """
    Where a preview stands.
    """
    APPLIED: Final[PreviewState]
    """
    Done with.
    """
    APPLYING: Final[PreviewState]
    """
    A run applies it, or was cut short doing so.
    """
    BUILDING: Final[PreviewState]
    """
    Its changes are being written; never applied.
    """
    READY: Final[PreviewState]
    """
    Complete.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> PreviewState: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class PreviewSummary:
    """
    What a preview holds in sum.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def bytes(self, /) -> int:
        """
        Bytes that applying it carries.
        """
    @property
    def computed_at(self, /) -> str:
        """
        When it was computed.
        """
    @property
    def counts(self, /) -> Counts:
        """
        How many changes of each kind.
        """
    @property
    def expires_at(self, /) -> str:
        """
        When it ends.
        """
    @property
    def files(self, /) -> int:
        """
        Files and links that applying it carries.
        """
    @property
    def guards(self, /) -> builtins.list[Guard]:
        """
        The guards that applying it stops at until each is confirmed.
        """
    @property
    def id(self, /) -> str:
        """
        Names it.
        """
    @property
    def items(self, /) -> int:
        """
        Items that applying it acts on.
        """

@final
class PreviewedRow:
    """
    A row of a preview.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def action(self, /) -> RowAction:
        """
        What is done.
        """
    @property
    def changes(self, /) -> Side | None:
        """
        The side that is changed; none when none is.
        """
    @property
    def id(self, /) -> str:
        """
        Names the change within its preview.
        """
    @property
    def kind(self, /) -> ChangeKind:
        """
        How it is counted.
        """
    @property
    def reason(self, /) -> str | None:
        """
        Why it is left alone.
        """
    @property
    def row(self, /) -> str:
        """
        The row, by its key.
        """
    @property
    def ticked(self, /) -> bool:
        """
        It is going to be applied.
        """

@final
class PreviewedRowPage:
    """
    A page of the rows of a preview, in the order in which they are applied.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def next(self, /) -> str | None:
        """
        What to give for the next page; none at the end.
        """
    @property
    def rows(self, /) -> builtins.list[PreviewedRow]:
        """
        1,000 at most.
        """

@final
class ProgressFilter:
    """
    Which progress is wanted; every field that is set narrows the list.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, conduit: str | None = None, sync_id: str | None = None, job_id: str | None = None, entity_type: SyncEntityType | None = None, active: bool | None = None) -> ProgressFilter: ...
    def __repr__(self, /) -> str: ...
    @property
    def active(self, /) -> bool | None:
        """
        Only what is under way.
        """
    @property
    def conduit(self, /) -> str | None:
        """
        Of runs of this conduit.
        """
    @property
    def entity_type(self, /) -> SyncEntityType | None:
        """
        What is counted.
        """
    @property
    def job_id(self, /) -> str | None:
        """
        Of this job: for files, the conduit's id.
        """
    @property
    def sync_id(self, /) -> str | None:
        """
        Of this run.
        """

@final
class ProgressPage:
    """
    A page of progress, the last begun first.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def next(self, /) -> str | None:
        """
        What to give for the next page; none at the end.
        """
    @property
    def rows(self, /) -> builtins.list[StoredProgress]:
        """
        1,000 at most.
        """

@final
class ProgressWatch:
    """
    The progress of a run of this process or another, as it changes, read with `for` or `async for`. Letting go of it
    ends the watch and nothing else.
    """
    def __aiter__(self, /) -> ProgressWatch: ...
    def __anext__(self, /) -> Awaitable[StoredProgress]: ...
    def __iter__(self, /) -> ProgressWatch: ...
    def __next__(self, /) -> StoredProgress: ...
    def next_row(self, /) -> StoredProgress | None:
        """
        The run's progress: at once the first time, then whenever it has changed; none after the row that
        completes it.

        Errors: `not_found` when there is no such run, or no longer; `storage`, `busy`, `offline`.
        """
    def next_row_async(self, /) -> Awaitable[StoredProgress | None]:
        """
        The run's progress: at once the first time, then whenever it has changed; none after the row that
        completes it.

        Errors: `not_found` when there is no such run, or no longer; `storage`, `busy`, `offline`.

        To be awaited.
        """

@final
class ReconcileStatus:
    """
    Whether two tables hold the same.
    """
    MATCH: Final[ReconcileStatus]
    """
    They do.
    """
    MISMATCH: Final[ReconcileStatus]
    """
    They do not.
    """
    UNKNOWN: Final[ReconcileStatus]
    """
    Rows could not be read.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ReconcileStatus: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@disjoint_base
class RecordAnswer:
    """
    What a host answers.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @final
    class Absent(RecordAnswer):
        """
        There is no such table.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> RecordAnswer.Absent: ...
    @final
    class Changes(RecordAnswer):
        """
        What has changed. Of a row that comes several times, what the last page says of it counts.
        """
        __match_args__: Final = ("rows", "deleted", "next", "cursor")
        def __new__(cls, /, rows: SupportsGetItem[int, str], deleted: SupportsGetItem[int, str], next: str | None, cursor: str | None) -> RecordAnswer.Changes: ...
        @property
        def cursor(self, /) -> str | None:
            """
            Where the next reading begins; given with the last page.
            """
        @property
        def deleted(self, /) -> builtins.list[str]:
            """
            The keys of rows that are gone; each a JSON object.
            """
        @property
        def next(self, /) -> str | None:
            """
            What is asked for the next page; none when this was the last.
            """
        @property
        def rows(self, /) -> builtins.list[str]:
            """
            Rows that are new or have changed, as they are now; each a JSON object.
            """
    @final
    class Described(RecordAnswer):
        """
        What a table looks like.
        """
        __match_args__: Final = ("table",)
        def __new__(cls, /, table: HostTable) -> RecordAnswer.Described: ...
        @property
        def table(self, /) -> HostTable:
            """
            The table.
            """
    @final
    class Done(RecordAnswer):
        """
        All of it was done.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> RecordAnswer.Done: ...
    @final
    class Rows(RecordAnswer):
        """
        Rows.
        """
        __match_args__: Final = ("rows", "next")
        def __new__(cls, /, rows: SupportsGetItem[int, str], next: str | None) -> RecordAnswer.Rows: ...
        @property
        def next(self, /) -> str | None:
            """
            What is asked for the next page; none when this was the last.
            """
        @property
        def rows(self, /) -> builtins.list[str]:
            """
            Each a JSON object.
            """
    @final
    class Written(RecordAnswer):
        """
        What became of each row, in their order.
        """
        __match_args__: Final = ("outcomes",)
        def __new__(cls, /, outcomes: SupportsGetItem[int, WrittenRow]) -> RecordAnswer.Written: ...
        @property
        def outcomes(self, /) -> builtins.list[WrittenRow]:
            """
            One for each.
            """

@final
class RecordClock:
    """
    The columns that say when a row was last changed. Both have to be mapped, and hold points in time or dates with times, which are
    then taken to be of one zone.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, source: str, target: str, *, skew_ms: SupportsIndex | None = None, tie: Side | None = None) -> RecordClock: ...
    def __repr__(self, /) -> str: ...
    @property
    def skew_ms(self, /) -> int | None:
        """
        Changes that are no further apart may have been made in either order: how far the clocks of both sides may be off; 1,000
        unless told otherwise.
        """
    @property
    def source(self, /) -> str:
        """
        The column of the source.
        """
    @property
    def target(self, /) -> str:
        """
        The column of the target.
        """
    @property
    def tie(self, /) -> Side | None:
        """
        Whose change counts then, and where a side does not say when; `source` unless told otherwise.
        """

@disjoint_base
class RecordCursor:
    """
    How changed rows of the source are found.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @staticmethod
    def by_column(column: str, overlap_ms: SupportsIndex | None = None) -> RecordCursor:
        """
        By a column that every change moves on.
        """
    @staticmethod
    def full_scan() -> RecordCursor:
        """
        By reading all rows.
        """
    @staticmethod
    def log() -> RecordCursor:
        """
        By the log of the database, or the `changes` of a host's own store.
        """
    @final
    class Column(RecordCursor):
        """
        By a column that every change moves on: only rows after the last one seen are read. Rows that are deleted do not show in
        it; a preview with `full_scan` finds them.
        """
        __match_args__: Final = ("column", "overlap_ms")
        def __new__(cls, /, column: str, overlap_ms: SupportsIndex | None) -> RecordCursor.Column: ...
        @property
        def column(self, /) -> str:
            """
            The column.
            """
        @property
        def overlap_ms(self, /) -> int | None:
            """
            How far back is read again, where the database cannot tell which transactions are under way (all but PostgreSQL): as
            long as one takes to commit; 120,000 unless told otherwise.
            """
    @final
    class FullScan(RecordCursor):
        """
        By reading them all.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> RecordCursor.FullScan: ...
    @final
    class Log(RecordCursor):
        """
        By what the database itself tells, deletions included: the log of PostgreSQL (`wal_level = logical`), that of MySQL and MariaDB
        (`binlog_format = ROW`, `binlog_row_image = FULL`), the Change Tracking of SQL Server, or the `changes` of a host's own store.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> RecordCursor.Log: ...

@final
class RecordField:
    """
    A field that is kept in step.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, source: str, target: str, *, direction: FieldDirection | None = None, transform: str | None = None) -> RecordField: ...
    def __repr__(self, /) -> str: ...
    @property
    def direction(self, /) -> FieldDirection | None:
        """
        Which way it goes; `bidirectional` unless told otherwise.
        """
    @property
    def source(self, /) -> str:
        """
        The column of the source.
        """
    @property
    def target(self, /) -> str:
        """
        The column of the target.
        """
    @property
    def transform(self, /) -> str | None:
        """
        What is made of the source's row for it, instead of its column: an expression (docs/expressions.md).
        """

@final
class RecordMode:
    """
    Which way rows go.
    """
    ARCHIVE_ONLY: Final[RecordMode]
    """
    To the target, where nothing is deleted.
    """
    ONE_WAY_PUSH: Final[RecordMode]
    """
    From the source to the target, deletions included.
    """
    TWO_WAY: Final[RecordMode]
    """
    Both ways.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> RecordMode: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class RecordOptions:
    """
    How two tables are kept in step. The definition remembers what it was given last.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, name: str | None = None, mode: RecordMode | None = None, policy: RecordPolicy | None = None, key: SupportsGetItem[int, str] | None = None, cursor: RecordCursor | None = None, fields: SupportsGetItem[int, RecordField] | None = None, clock: RecordClock | None = None, create: bool | None = None, routes: SupportsGetItem[int, RecordRoute] | None = None) -> RecordOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def clock(self, /) -> RecordClock | None:
        """
        What tells which side changed a row last, for `latest_wins`; without it that cannot be told, and the source's counts.
        """
    @property
    def create(self, /) -> bool | None:
        """
        A target that is not there is made, like the source: a list with all its columns at once.
        """
    @property
    def cursor(self, /) -> RecordCursor | None:
        """
        How changed rows of the source are found; by a full scan unless told otherwise.
        """
    @property
    def fields(self, /) -> builtins.list[RecordField] | None:
        """
        The fields that are kept in step; every column that both have by the same name, and that the target can be given, unless
        told otherwise.
        """
    @property
    def key(self, /) -> builtins.list[str] | None:
        """
        The columns of the source that make a row's key; its primary key unless told otherwise.
        """
    @property
    def mode(self, /) -> RecordMode | None:
        """
        Which way rows go; `one_way_push` unless told otherwise.
        """
    @property
    def name(self, /) -> str | None:
        """
        What the definition is called; by both places unless told otherwise.
        """
    @property
    def policy(self, /) -> RecordPolicy | None:
        """
        Who wins when a row changed on both sides; `source_wins` unless told otherwise.
        """
    @property
    def routes(self, /) -> builtins.list[RecordRoute] | None:
        """
        The lists that rows go to instead of the target, by the first of these rules that takes them; all go to the target unless
        told otherwise.
        """

@disjoint_base
class RecordPlace:
    """
    A table or a list at one side of a definition.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @staticmethod
    def at(url: str, access: Access | None = None) -> RecordPlace:
        """
        A table behind a URL: `postgres://user@host/database/schema.table`, `mysql://user@host/database/table`,
        `sqlserver://user@host/database/schema.table`, `sqlite:///path/to/file.db/table`, without a secret.
        """
    @staticmethod
    def host(key: str, table: str) -> RecordPlace:
        """
        A table of a store that the host itself holds, by the key that the store was made with.
        """
    @staticmethod
    def list_at(url: str, access: ListAccess | None = None) -> RecordPlace:
        """
        A list of a SharePoint site behind a URL: `sharepoint://host/sites/name/Title`, without a secret.
        """
    @final
    class Host(RecordPlace):
        """
        A table of a store that the host itself holds: see `HostRecords`.
        """
        __match_args__: Final = ("key", "table")
        def __new__(cls, /, key: str, table: str) -> RecordPlace.Host: ...
        @property
        def key(self, /) -> str:
            """
            The key that the store was made with.
            """
        @property
        def table(self, /) -> str:
            """
            The table, by the host's name for it.
            """
    @final
    class List(RecordPlace):
        """
        A list of a SharePoint site: `sharepoint://host/sites/name/Title`, with what else is to be known of the site behind
        (docs/lists.md).
        """
        __match_args__: Final = ("url", "access")
        def __new__(cls, /, url: str, access: ListAccess | None) -> RecordPlace.List: ...
        @property
        def access(self, /) -> ListAccess | None:
            """
            What lets one in; where it is left out, what the book has for the site.
            """
        @property
        def url(self, /) -> str:
            """
            The URL, without a secret.
            """
    @final
    class Table(RecordPlace):
        """
        A table behind a URL: `postgres://user@host:port/database/schema.table`, `mysql://user@host/database/table`,
        `sqlserver://user@host/database/schema.table` or `sqlite:///path/to/file.db/table`. What is special in a URL is
        percent-encoded; a dot of a name as `%2E`.
        """
        __match_args__: Final = ("url", "access")
        def __new__(cls, /, url: str, access: Access | None) -> RecordPlace.Table: ...
        @property
        def access(self, /) -> Access | None:
            """
            What lets one in: `user`, `password` and `ca_file` of it.
            """
        @property
        def url(self, /) -> str:
            """
            The URL, without a secret.
            """

@final
class RecordPolicy:
    """
    Who wins when a row changed on both sides.
    """
    DESTINATION_WINS: Final[RecordPolicy]
    """
    The target.
    """
    LATEST_WINS: Final[RecordPolicy]
    """
    The side that changed it last, by the clocks of both.
    """
    MANUAL: Final[RecordPolicy]
    """
    Nobody: the row waits for a person.
    """
    SOURCE_WINS: Final[RecordPolicy]
    """
    The source.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> RecordPolicy: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@disjoint_base
class RecordRequest:
    """
    What the engine asks of the host's tables. Each is answered by `reply` or `fail` with its id, in any order. What the host cannot do it
    answers by `fail` with the code `unsupported`.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def id(self, /) -> int:
        """
        Names the request: give it to the answer.
        """
    @final
    class Changes(RecordRequest):
        """
        A page of what has changed: `RecordAnswer::Changes`. Only asked of a store that `has_changes`. A host that no longer knows what
        happened since then fails it with `stale`, and everything is read.
        """
        __match_args__: Final = ("id", "table", "columns", "key", "since", "after", "limit")
        def __new__(cls, /, id: SupportsIndex, table: str, columns: SupportsGetItem[int, str], key: SupportsGetItem[int, str], since: str | None, after: str | None, limit: SupportsIndex) -> RecordRequest.Changes: ...
        @property
        def after(self, /) -> str | None:
            """
            Where the page before ended; none for the first page.
            """
        @property
        def columns(self, /) -> builtins.list[str]:
            """
            The columns that each row has to have.
            """
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def key(self, /) -> builtins.list[str]:
            """
            The columns of the key, which a deleted row has.
            """
        @property
        def limit(self, /) -> int:
            """
            How many rows the page may have.
            """
        @property
        def since(self, /) -> str | None:
            """
            The cursor with which the last reading ended; none: all rows are wanted, and the cursor that follows them.
            """
        @property
        def table(self, /) -> str:
            """
            The table.
            """
    @final
    class Delete(RecordRequest):
        """
        Rows are taken out; one that is not there is `gone`: `RecordAnswer::Written`, or `Done` when all of them were. Versions as for
        `Update`.
        """
        __match_args__: Final = ("id", "table", "keys")
        def __new__(cls, /, id: SupportsIndex, table: str, keys: SupportsGetItem[int, str]) -> RecordRequest.Delete: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def keys(self, /) -> builtins.list[str]:
            """
            Their keys, 1,000 at most, each an object of the columns of the key.
            """
        @property
        def table(self, /) -> str:
            """
            The table.
            """
    @final
    class Describe(RecordRequest):
        """
        What a table looks like: `RecordAnswer::Described`, or `Absent` when there is none.
        """
        __match_args__: Final = ("id", "table")
        def __new__(cls, /, id: SupportsIndex, table: str) -> RecordRequest.Describe: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def table(self, /) -> str:
            """
            The table.
            """
    @final
    class Fetch(RecordRequest):
        """
        The rows with these keys; those that are not there are left out: `RecordAnswer::Rows` without `next`. A host that fails it with
        `unsupported` is asked for all rows instead, each time.
        """
        __match_args__: Final = ("id", "table", "columns", "keys")
        def __new__(cls, /, id: SupportsIndex, table: str, columns: SupportsGetItem[int, str], keys: SupportsGetItem[int, str]) -> RecordRequest.Fetch: ...
        @property
        def columns(self, /) -> builtins.list[str]:
            """
            The columns that each row has to have.
            """
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def keys(self, /) -> builtins.list[str]:
            """
            The keys, 1,000 at most, each an object of the columns of the key.
            """
        @property
        def table(self, /) -> str:
            """
            The table.
            """
    @final
    class Insert(RecordRequest):
        """
        Rows are made; one whose key is there already is `exists`: `RecordAnswer::Written`, or `Done` when all of them were.
        """
        __match_args__: Final = ("id", "table", "key", "rows")
        def __new__(cls, /, id: SupportsIndex, table: str, key: SupportsGetItem[int, str], rows: SupportsGetItem[int, str]) -> RecordRequest.Insert: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def key(self, /) -> builtins.list[str]:
            """
            The columns of the key.
            """
        @property
        def rows(self, /) -> builtins.list[str]:
            """
            The rows, 1,000 at most.
            """
        @property
        def table(self, /) -> str:
            """
            The table.
            """
    @final
    class Scan(RecordRequest):
        """
        A page of all rows, in an order that stays: `RecordAnswer::Rows`.
        """
        __match_args__: Final = ("id", "table", "columns", "after", "limit")
        def __new__(cls, /, id: SupportsIndex, table: str, columns: SupportsGetItem[int, str], after: str | None, limit: SupportsIndex) -> RecordRequest.Scan: ...
        @property
        def after(self, /) -> str | None:
            """
            Where the page before ended; none for the first page.
            """
        @property
        def columns(self, /) -> builtins.list[str]:
            """
            The columns that each row has to have; others are not looked at.
            """
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def limit(self, /) -> int:
            """
            How many rows the page may have.
            """
        @property
        def table(self, /) -> str:
            """
            The table.
            """
    @final
    class Update(RecordRequest):
        """
        Rows are changed in the columns that are given, besides those of the key, by which they are found; one that is not there is
        `gone`: `RecordAnswer::Written`, or `Done` when all of them were. Where rows have versions, one with another `@version` than
        is given is `changed`.
        """
        __match_args__: Final = ("id", "table", "key", "rows")
        def __new__(cls, /, id: SupportsIndex, table: str, key: SupportsGetItem[int, str], rows: SupportsGetItem[int, str]) -> RecordRequest.Update: ...
        @property
        def id(self, /) -> int:
            """
            Names the request.
            """
        @property
        def key(self, /) -> builtins.list[str]:
            """
            The columns of the key.
            """
        @property
        def rows(self, /) -> builtins.list[str]:
            """
            The rows, 1,000 at most.
            """
        @property
        def table(self, /) -> str:
            """
            The table.
            """

@final
class RecordRoute:
    """
    A rule that sends rows to a list of their own.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, condition: str, target: RecordPlace) -> RecordRoute: ...
    def __repr__(self, /) -> str: ...
    @property
    def condition(self, /) -> str:
        """
        Which rows it takes: a condition over the columns of the source (docs/expressions.md).
        """
    @property
    def target(self, /) -> RecordPlace:
        """
        The list.
        """

@final
class RecordTarget:
    """
    A list that rows of a definition may go to.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def id(self, /) -> str:
        """
        Its id in the book (`sharepoint_lists`).
        """
    @property
    def is_default(self, /) -> bool:
        """
        Whether rows that no rule takes go there.
        """
    @property
    def title(self, /) -> str:
        """
        Its title.
        """

@final
class Resolution:
    """
    What a person can decide about a conflict, and how it ended.
    """
    BOTH: Final[Resolution]
    """
    Both, one of them under another name.
    """
    DESTINATION: Final[Resolution]
    """
    The target's state counts.
    """
    DROPPED: Final[Resolution]
    """
    The conflict went away by itself.
    """
    RENAME_DESTINATION: Final[Resolution]
    """
    The target's item gets another name.
    """
    RENAME_SOURCE: Final[Resolution]
    """
    The source's item gets another name.
    """
    SOURCE: Final[Resolution]
    """
    The source's state counts.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> Resolution: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class RowAction:
    """
    What is done about a row.
    """
    DELETE: Final[RowAction]
    """
    It is taken out.
    """
    FORGET: Final[RowAction]
    """
    The ledger lets go of it.
    """
    INSERT: Final[RowAction]
    """
    It is made.
    """
    MERGE: Final[RowAction]
    """
    Both sides get fields of both: as a person has decided, or since some go one way only.
    """
    RECORD: Final[RowAction]
    """
    The ledger learns that both sides agree.
    """
    SKIP: Final[RowAction]
    """
    Nothing.
    """
    UPDATE: Final[RowAction]
    """
    It is changed.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> RowAction: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class RowApplyOptions:
    """
    How a preview of rows is applied.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, confirm: SupportsGetItem[int, str] | None = None) -> RowApplyOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def confirm(self, /) -> builtins.list[str] | None:
        """
        Guards that a person has seen and confirmed for this plan, by their names.
        """

@disjoint_base
class RowChoice:
    """
    What is to become of a row that waits.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @staticmethod
    def merge(target_columns: SupportsGetItem[int, str]) -> RowChoice:
        """
        Both sides get the source's row with these columns, by their names at the target, as the target has them.
        """
    @final
    class KeepDestination(RowChoice):
        """
        The target's row counts; where the target has none any more, the source's goes.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> RowChoice.KeepDestination: ...
    @final
    class KeepSource(RowChoice):
        """
        The source's row counts; where the source has none any more, the target's goes.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> RowChoice.KeepSource: ...
    @final
    class Merge(RowChoice):
        """
        Both sides get the source's row with these columns as the target has them.
        """
        __match_args__: Final = ("target_columns",)
        def __new__(cls, /, target_columns: SupportsGetItem[int, str]) -> RowChoice.Merge: ...
        @property
        def target_columns(self, /) -> builtins.list[str]:
            """
            The columns, by their names at the target. Each has to belong to a field that goes both ways.
            """

@final
class RowConflict:
    """
    A row that both sides changed and that waits for a person.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def choice(self, /) -> RowChoice | None:
        """
        What was decided, and is not carried out yet.
        """
    @property
    def created_at(self, /) -> str:
        """
        When a run met it first.
        """
    @property
    def decided_at(self, /) -> str | None:
        """
        When that was decided.
        """
    @property
    def decided_by(self, /) -> str | None:
        """
        Who decided it; none once that user is gone.
        """
    @property
    def id(self, /) -> str:
        """
        Names it within its definition.
        """
    @property
    def is_at_source(self, /) -> bool:
        """
        Whether the source has the row; where it does not, it has deleted it.
        """
    @property
    def is_at_target(self, /) -> bool:
        """
        Whether the target has the row; where it does not, it has deleted it.
        """
    @property
    def mark(self, /) -> str:
        """
        Names what both sides showed: give it back with the decision.
        """
    @property
    def met_at(self, /) -> str:
        """
        When a run met it last.
        """
    @property
    def note(self, /) -> str | None:
        """
        Why the last decision came to nothing.
        """
    @property
    def row(self, /) -> str:
        """
        The row, by its key.
        """

@final
class RowDifference:
    """
    A row that is not the same on both sides.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def kind(self, /) -> RowDifferenceKind:
        """
        What is different.
        """
    @property
    def reason(self, /) -> str | None:
        """
        Why it could not be compared.
        """
    @property
    def row(self, /) -> str:
        """
        The row, by its key.
        """

@final
class RowDifferenceKind:
    """
    What is different about a row.
    """
    DIFFERENT: Final[RowDifferenceKind]
    """
    Both have it, and it is not the same.
    """
    EXTRA: Final[RowDifferenceKind]
    """
    Only the target has it.
    """
    MISSING: Final[RowDifferenceKind]
    """
    Only the source has it.
    """
    UNREADABLE: Final[RowDifferenceKind]
    """
    It could not be compared.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> RowDifferenceKind: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class RowFilter:
    """
    Which rows a list has, and in which order.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, equal: str | None = None, with_deleted: bool | None = None, latest_first: bool | None = None) -> RowFilter: ...
    def __repr__(self, /) -> str: ...
    @property
    def equal(self, /) -> str | None:
        """
        Only rows whose columns hold these values: a JSON object; none: all.
        """
    @property
    def latest_first(self, /) -> bool | None:
        """
        The last made first, where the list has no order of its own.
        """
    @property
    def with_deleted(self, /) -> bool | None:
        """
        Deleted rows, too, where the table keeps them.
        """

@final
class RowInspection:
    """
    A conflict with what both sides hold now.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def conflict(self, /) -> RowConflict:
        """
        The conflict.
        """
    @property
    def fields(self, /) -> builtins.list[FieldValues]:
        """
        The fields, in the order of their names at the target.
        """

@final
class RowPage:
    """
    A page of rows.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def next(self, /) -> str | None:
        """
        What to give for the next page; none at the end.
        """
    @property
    def rows(self, /) -> builtins.list[str]:
        """
        The rows in order, 1,000 at most; each is a JSON object.
        """

@final
class RowPreview:
    """
    What a preview of rows holds in sum.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def blind(self, /) -> str | None:
        """
        Why deletions were not looked for, where they were not: a row that could not be read may be any of those that seem to be
        gone.
        """
    @property
    def drift(self, /) -> builtins.list[Drift]:
        """
        What has changed about both tables since the last run, and what that is to the definition.
        """
    @property
    def source_rows(self, /) -> int:
        """
        Rows of the source.
        """
    @property
    def summary(self, /) -> PreviewSummary:
        """
        The sums that every preview has; items are rows.
        """
    @property
    def target_rows(self, /) -> int | None:
        """
        Rows of the target; none when it was not read.
        """

@final
class RowPreviewOptions:
    """
    How rows are previewed.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, look_at_target: bool | None = None, full_scan: bool | None = None, exact: bool | None = None, max_delete: str | None = None, route_to: str | None = None, lifetime_ms: SupportsIndex | None = None) -> RowPreviewOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def exact(self, /) -> bool | None:
        """
        Deletes rows of the target that the source does not have although they did not come from there. One way only.
        """
    @property
    def full_scan(self, /) -> bool | None:
        """
        Reads the whole source although there is a cursor: so it is found out which rows are gone where the cursor does not tell.
        """
    @property
    def lifetime_ms(self, /) -> int | None:
        """
        How long the preview can be applied, an hour unless told otherwise.
        """
    @property
    def look_at_target(self, /) -> bool | None:
        """
        Reads the target, too, instead of believing the ledger: rows that somebody changed there are put right. Two ways, without a
        ledger, or when the mapping has changed, it is always read.
        """
    @property
    def max_delete(self, /) -> str | None:
        """
        Deletions before a guard stops the run: a number, or a share such as `50%`; half unless told otherwise.
        """
    @property
    def route_to(self, /) -> str | None:
        """
        Sends every row to this list in the run, whatever the rules say: the id of one of `Definition::targets`. A row stays there
        until it is changed at the source.
        """

@final
class RowVerifyReport:
    """
    What a comparison of both tables showed.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def differences(self, /) -> builtins.list[RowDifference]:
        """
        The first of all these, 100 at most.
        """
    @property
    def different(self, /) -> int:
        """
        Rows that both have and that differ.
        """
    @property
    def extra(self, /) -> int:
        """
        Rows that only the target has.
        """
    @property
    def missing(self, /) -> int:
        """
        Rows that only the source has.
        """
    @property
    def source_rows(self, /) -> int:
        """
        Rows of the source.
        """
    @property
    def status(self, /) -> ReconcileStatus:
        """
        Whether both hold the same.
        """
    @property
    def target_rows(self, /) -> int:
        """
        Rows of the target.
        """
    @property
    def unreadable(self, /) -> int:
        """
        Rows that could not be compared.
        """

@final
class Run:
    """
    A run under way. Iterating over it, with `for` or `async for`, reads its events. Letting go of it lets the run go
    on; `cancel` ends it. After its book was shut down it still tells how it ended.
    """
    def __aiter__(self, /) -> Run: ...
    def __anext__(self, /) -> Awaitable[RunEvent]: ...
    def __iter__(self, /) -> Run: ...
    def __next__(self, /) -> RunEvent: ...
    def cancel(self, /) -> None:
        """
        Ends the run at the next safe point. Returns at once; may be called from any thread, and more than once.
        """
    def finish(self, /, *, on_progress: "collections.abc.Callable[[RunProgress], object] | None" = None) -> "RunReport":
        """
        Waits for the end and returns the outcome; the same again when called again. `on_progress` is called with every
        `RunProgress` meanwhile, on this thread.

        Errors: `guard`, `busy`, `storage` ...: the run as a whole could not be done. What happened to single items is in
        the report.
        """
    def finish_async(self, /, *, on_progress: "collections.abc.Callable[[RunProgress], object] | None" = None) -> "collections.abc.Awaitable[RunReport]":
        """
        Waits for the end and returns the outcome; the same again when called again. `on_progress` is called with every
        `RunProgress` meanwhile, by the loop.

        Errors: `guard`, `busy`, `storage` ...: the run as a whole could not be done. What happened to single items is in
        the report.

        To be awaited.
        """
    def next_event(self, /) -> RunEvent | None:
        """
        The next event; none after the last. Progress is skipped when nobody reads; what was applied and what
        failed never is: from the first call on the run waits for its events to be taken, until `finish` drops
        what is unread. A wait that is given up loses no event.

        Errors: `invalid` after a fork.
        """
    def next_event_async(self, /) -> Awaitable[RunEvent | None]:
        """
        The next event; none after the last. Progress is skipped when nobody reads; what was applied and what
        failed never is: from the first call on the run waits for its events to be taken, until `finish` drops
        what is unread. A wait that is given up loses no event.

        Errors: `invalid` after a fork.

        To be awaited.
        """
    def pause(self, /) -> None:
        """
        Makes the run wait at the next safe point.
        """
    def resume(self, /) -> None:
        """
        Lets a paused run go on.
        """

@disjoint_base
class RunEvent:
    """
    What a run reports while it works.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @final
    class Applied(RunEvent):
        """
        These items are done and durable; 1,000 at most.
        """
        __match_args__: Final = ("items",)
        def __new__(cls, /, items: SupportsGetItem[int, AppliedItem]) -> RunEvent.Applied: ...
        @property
        def items(self, /) -> builtins.list[AppliedItem]:
            """
            The items.
            """
    @final
    class Failed(RunEvent):
        """
        An item could not be carried.
        """
        __match_args__: Final = ("failure",)
        def __new__(cls, /, failure: ItemFailure) -> RunEvent.Failed: ...
        @property
        def failure(self, /) -> ItemFailure:
            """
            Which, and why.
            """
    @final
    class Paused(RunEvent):
        """
        The run waits until it is resumed.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> RunEvent.Paused: ...
    @final
    class Planned(RunEvent):
        """
        The preview is on disk: what will be done, with its totals, before the first byte.
        """
        __match_args__: Final = ("summary",)
        def __new__(cls, /, summary: PreviewSummary) -> RunEvent.Planned: ...
        @property
        def summary(self, /) -> PreviewSummary:
            """
            The totals.
            """
    @final
    class Progress(RunEvent):
        """
        How far it is; skipped when the reader lags.
        """
        __match_args__: Final = ("at",)
        def __new__(cls, /, at: RunProgress) -> RunEvent.Progress: ...
        @property
        def at(self, /) -> RunProgress:
            """
            How far.
            """
    @final
    class Resumed(RunEvent):
        """
        The run goes on.
        """
        __match_args__: Final = ()
        def __new__(cls, /) -> RunEvent.Resumed: ...

@final
class RunPhase:
    """
    What a run is doing.
    """
    APPLYING: Final[RunPhase]
    """
    Carrying what the preview shows.
    """
    SCANNING: Final[RunPhase]
    """
    Comparing the two places with the ledger. Totals are not known yet.
    """
    VERIFYING: Final[RunPhase]
    """
    Looking at both sides once more.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> RunPhase: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class RunProgress:
    """
    How far a run is.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def bytes_done(self, /) -> int:
        """
        Bytes carried.
        """
    @property
    def bytes_per_second(self, /) -> float:
        """
        Bytes per second, over the last seconds.
        """
    @property
    def bytes_total(self, /) -> int:
        """
        Bytes to carry; 0 while it is not known.
        """
    @property
    def elapsed_ms(self, /) -> int:
        """
        Since the run began.
        """
    @property
    def eta_ms(self, /) -> int | None:
        """
        How long it will take still, where that can be told.
        """
    @property
    def items_done(self, /) -> int:
        """
        Items done, failed ones included; while scanning, items seen.
        """
    @property
    def items_per_second(self, /) -> float:
        """
        Items per second, over the last seconds.
        """
    @property
    def items_total(self, /) -> int:
        """
        Items to do; 0 while it is not known.
        """
    @property
    def phase(self, /) -> RunPhase:
        """
        What it is doing.
        """

@final
class RunReport:
    """
    The outcome of a run.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def bytes(self, /) -> int:
        """
        Bytes that were carried.
        """
    @property
    def cancelled(self, /) -> bool:
        """
        It was cancelled before it was done; the next run goes on from there.
        """
    @property
    def counts(self, /) -> Counts:
        """
        What was done.
        """
    @property
    def elapsed_ms(self, /) -> int:
        """
        How long it took.
        """
    @property
    def failures(self, /) -> builtins.list[ItemFailure]:
        """
        The first failures, 100 at most; all of them are in the book.
        """
    @property
    def generation(self, /) -> int:
        """
        Which execution of the conduit it was, from 1; 0 when it was cancelled while it looked at the places.
        """
    @property
    def is_in_step(self, /) -> bool:
        """
        Whether both sides are in step: nothing failed, nothing waits.
        """
    @property
    def preview(self, /) -> str:
        """
        The preview that was applied.
        """
    @property
    def stale(self, /) -> int:
        """
        Stale items among the failed ones.
        """
    @property
    def verification(self, /) -> str:
        """
        What the look at both sides after the run showed: `verified`, `unverified` or `failed:` and why.
        """
    @property
    def waiting(self, /) -> int:
        """
        Conflicts that wait for a person.
        """

@final
class SavedVolume:
    """
    A saved volume, as it is listed.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def driver(self, /) -> Driver:
        """
        How it is reached.
        """
    @property
    def id(self, /) -> str:
        """
        Its id.
        """
    @property
    def is_active(self, /) -> bool:
        """
        Whether it may be used.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """
    @property
    def place(self, /) -> str:
        """
        Where it is: a URL or a path, without anything that lets one in; or why that cannot be said.
        """

@final
class SchemaChange:
    """
    What has changed about a table.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def kind(self, /) -> SchemaChangeKind:
        """
        How it has changed.
        """
    @property
    def name(self, /) -> str:
        """
        The column; where keys have changed, the constraint.
        """
    @property
    def now(self, /) -> str | None:
        """
        What it is now; none for what is gone.
        """
    @property
    def was(self, /) -> str | None:
        """
        What it was: a type, `null` or `not null`, the columns of a key; none for what is new.
        """

@final
class SchemaChangeKind:
    """
    How a table has changed.
    """
    ADDED: Final[SchemaChangeKind]
    """
    It has a column more.
    """
    KEYS: Final[SchemaChangeKind]
    """
    What no two rows may have in common is something else.
    """
    NULLABILITY: Final[SchemaChangeKind]
    """
    A column may hold nothing, or may no longer.
    """
    REMOVED: Final[SchemaChangeKind]
    """
    A column is gone.
    """
    RETYPED: Final[SchemaChangeKind]
    """
    A column has another type.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> SchemaChangeKind: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class SeenItem:
    """
    What a side showed of an item.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def bytes(self, /) -> int:
        """
        Bytes; 0 for directories.
        """
    @property
    def item(self, /) -> ItemKind:
        """
        What it was.
        """
    @property
    def modified_at(self, /) -> str | None:
        """
        When it was last modified, where the place says so.
        """

@final
class SelectionRule:
    """
    A rule of selective mode. Rules are asked in their order and the first one that matches decides.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, pattern: str, is_included: bool) -> SelectionRule: ...
    def __repr__(self, /) -> str: ...
    @property
    def is_included(self, /) -> bool:
        """
        Whether the target holds what matches.
        """
    @property
    def pattern(self, /) -> str:
        """
        The pattern, as those of `Filters`.
        """

@final
class Session:
    """
    A book used by one user of one tenant. Every call goes through one. A `with` block closes nothing: the book is
    what is shut down.
    """
    def __aenter__(self, /) -> Awaitable[Session]:
        """
        The session itself, to be awaited.
        """
    def __aexit__(self, /, *_exception: "object") -> Awaitable[None]:
        """
        The book goes on.
        """
    def __enter__(self, /) -> Session:
        """
        The session itself.
        """
    def __exit__(self, /, *_exception: "object") -> None:
        """
        The book goes on.
        """
    def accept_table(self, /, place: RecordPlace | str) -> None:
        """
        Accepts a table as it is: what it was before stands in no definition's way any more. A key that has become
        another one makes every row another one; a mapping over a column that is gone is refused in any case.

        Errors: `not_found` when the book does not know the table; as `inspect_database`.
        """
    def accept_table_async(self, /, place: RecordPlace | str) -> Awaitable[None]:
        """
        Accepts a table as it is: what it was before stands in no definition's way any more. A key that has become
        another one makes every row another one; a mapping over a column that is gone is refused in any case.

        Errors: `not_found` when the book does not know the table; as `inspect_database`.

        To be awaited.
        """
    def activity(self, /, filter: ActivityFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> ActivityPage:
        """
        What was done for the tenant, the latest first; pages of 1,000 lines at most.

        Errors: `invalid` when `after` is of another list; `storage`, `busy`.
        """
    def activity_async(self, /, filter: ActivityFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[ActivityPage]:
        """
        What was done for the tenant, the latest first; pages of 1,000 lines at most.

        Errors: `invalid` when `after` is of another list; `storage`, `busy`.

        To be awaited.
        """
    def conduit(self, /, source: Place | str | PathLike[str], target: Place | str | PathLike[str]) -> Conduit:
        """
        The conduit of these two places as it is: it keeps the attributes that it was given last.

        Errors: `not_found` when the places were never connected with each other.
        """
    def conduit_async(self, /, source: Place | str | PathLike[str], target: Place | str | PathLike[str]) -> Awaitable[Conduit]:
        """
        The conduit of these two places as it is: it keeps the attributes that it was given last.

        Errors: `not_found` when the places were never connected with each other.

        To be awaited.
        """
    def conduit_of(self, /, preview: Preview | str, source: Place | str | PathLike[str], target: Place | str | PathLike[str]) -> Conduit:
        """
        The conduit that made a preview, by the places that the preview was made of.

        Errors: `not_found` when there is no preview of this id or it has expired; `invalid` when it is of other
        places, or goes the other way.
        """
    def conduit_of_async(self, /, preview: Preview | str, source: Place | str | PathLike[str], target: Place | str | PathLike[str]) -> Awaitable[Conduit]:
        """
        The conduit that made a preview, by the places that the preview was made of.

        Errors: `not_found` when there is no preview of this id or it has expired; `invalid` when it is of other
        places, or goes the other way.

        To be awaited.
        """
    def connect(self, /, source: Place | str | PathLike[str], target: Place | str | PathLike[str], options: ConduitOptions | None = None) -> Conduit:
        """
        The conduit of these two places, found in either direction or made; its attributes become `options`.

        Errors: `invalid` when one place lies within the other, is not a directory, or a pattern cannot be used;
        `not_found` when neither the place nor its parent exists, and for a host store that is not there.
        """
    def connect_async(self, /, source: Place | str | PathLike[str], target: Place | str | PathLike[str], options: ConduitOptions | None = None) -> Awaitable[Conduit]:
        """
        The conduit of these two places, found in either direction or made; its attributes become `options`.

        Errors: `invalid` when one place lies within the other, is not a directory, or a pattern cannot be used;
        `not_found` when neither the place nor its parent exists, and for a host store that is not there.

        To be awaited.
        """
    def connect_records(self, /, source: RecordPlace | str, target: RecordPlace | str, options: RecordOptions | None = None) -> Definition:
        """
        The definition that keeps these two tables in step, found or made; its attributes become `options`. Both
        are looked at, and the inventory of the book learns of them.

        Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at, or there is no such
        host store. `invalid`: there is no key, a column is not there, a field cannot cross.
        """
    def connect_records_async(self, /, source: RecordPlace | str, target: RecordPlace | str, options: RecordOptions | None = None) -> Awaitable[Definition]:
        """
        The definition that keeps these two tables in step, found or made; its attributes become `options`. Both
        are looked at, and the inventory of the book learns of them.

        Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at, or there is no such
        host store. `invalid`: there is no key, a column is not there, a field cannot cross.

        To be awaited.
        """
    def create_row(self, /, table: str, row: str) -> str:
        """
        Makes a row of the fields given; the others get their defaults.

        Errors: `not_found` when there is no such table, or the row names a row that is not there; `invalid`
        when a value breaks a rule of its column; `conflict` when it repeats what has to be unique.
        """
    def create_row_async(self, /, table: str, row: str) -> Awaitable[str]:
        """
        Makes a row of the fields given; the others get their defaults.

        Errors: `not_found` when there is no such table, or the row names a row that is not there; `invalid`
        when a value breaks a rule of its column; `conflict` when it repeats what has to be unique.

        To be awaited.
        """
    def definition(self, /, id: str) -> Definition:
        """
        The definition of that id (`sync_definitions`), with what its rows in the book say of how its databases are
        reached. One with a table of the host's own is found by its places: `records`.

        Errors: `not_found`.
        """
    def definition_async(self, /, id: str) -> Awaitable[Definition]:
        """
        The definition of that id (`sync_definitions`), with what its rows in the book say of how its databases are
        reached. One with a table of the host's own is found by its places: `records`.

        Errors: `not_found`.

        To be awaited.
        """
    def delete_row(self, /, table: str, id: str) -> None:
        """
        Deletes a row, or marks it where the table keeps deleted rows.

        Errors: `not_found` when there is none, or it is deleted already; `conflict` while other rows refer to
        it.
        """
    def delete_row_async(self, /, table: str, id: str) -> Awaitable[None]:
        """
        Deletes a row, or marks it where the table keeps deleted rows.

        Errors: `not_found` when there is none, or it is deleted already; `conflict` while other rows refer to
        it.

        To be awaited.
        """
    def errors(self, /, filter: ErrorFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> ErrorPage:
        """
        Failures of items, the latest first; pages of 1,000 at most.

        Errors: `invalid` when `after` is of another list; `storage`, `busy`.
        """
    def errors_async(self, /, filter: ErrorFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[ErrorPage]:
        """
        Failures of items, the latest first; pages of 1,000 at most.

        Errors: `invalid` when `after` is of another list; `storage`, `busy`.

        To be awaited.
        """
    def get_row(self, /, table: str, id: str) -> str:
        """
        The row of that id.

        Errors: `not_found` when there is none, or it is deleted.
        """
    def get_row_async(self, /, table: str, id: str) -> Awaitable[str]:
        """
        The row of that id.

        Errors: `not_found` when there is none, or it is deleted.

        To be awaited.
        """
    def history(self, /, limit: SupportsIndex | None = None) -> builtins.list[GenerationSummary]:
        """
        All runs, the latest first; 1,000 at most.

        Errors: `storage`, `busy`.
        """
    def history_async(self, /, limit: SupportsIndex | None = None) -> Awaitable[builtins.list[GenerationSummary]]:
        """
        All runs, the latest first; 1,000 at most.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def history_between(self, /, source: Place | str | PathLike[str], target: Place | str | PathLike[str], limit: SupportsIndex | None = None) -> builtins.list[GenerationSummary]:
        """
        The runs between two places in either direction, the latest first; 1,000 at most.

        Errors: `not_found` when the places were never synced with each other; `storage`, `busy`.
        """
    def history_between_async(self, /, source: Place | str | PathLike[str], target: Place | str | PathLike[str], limit: SupportsIndex | None = None) -> Awaitable[builtins.list[GenerationSummary]]:
        """
        The runs between two places in either direction, the latest first; 1,000 at most.

        Errors: `not_found` when the places were never synced with each other; `storage`, `busy`.

        To be awaited.
        """
    def host_records(self, /, key: str, options: HostRecordOptions | None = None) -> HostRecords:
        """
        Brings tables that only the host knows, under a key that is the same every time; `RecordPlace.Host`
        names them by it. It answers until it is shut down.

        Errors: `conflict` while there is such a store of this key; `invalid` when an option cannot be used.
        """
    def host_store(self, /, key: str, options: HostOptions | None = None) -> HostStore:
        """
        Brings files that the host itself holds, under a key that is the same every time; `Place.Host` names
        them by it. It answers until it is shut down.

        Errors: `conflict` while there is a host store of this key; `invalid` when an option cannot be used.
        """
    def inspect_database(self, /, url: str, access: Access | None = None) -> builtins.list[TableEntry]:
        """
        The tables of a database, without those of its system. The URL is that of a table without the table:
        `postgres://user@host/database`, `sqlite:///path/to/file.db/`.

        Errors: `invalid` for another URL; `offline`, `auth`, `permission`, `not_found`.
        """
    def inspect_database_async(self, /, url: str, access: Access | None = None) -> Awaitable[builtins.list[TableEntry]]:
        """
        The tables of a database, without those of its system. The URL is that of a table without the table:
        `postgres://user@host/database`, `sqlite:///path/to/file.db/`.

        Errors: `invalid` for another URL; `offline`, `auth`, `permission`, `not_found`.

        To be awaited.
        """
    def inspect_table(self, /, place: RecordPlace | str) -> TableShape:
        """
        What a table looks like now; the inventory of the book learns it.

        Errors: As `inspect_database`.
        """
    def inspect_table_async(self, /, place: RecordPlace | str) -> Awaitable[TableShape]:
        """
        What a table looks like now; the inventory of the book learns it.

        Errors: As `inspect_database`.

        To be awaited.
        """
    def introspect_database(self, /, url: str, access: Access | None = None) -> Introspection:
        """
        Reads the metadata of every table of a database into the inventory of the book, and says what was read
        (`introspection_runs`). A table that cannot be described fails alone. The URL is as for `inspect_database`.

        Errors: As there.
        """
    def introspect_database_async(self, /, url: str, access: Access | None = None) -> Awaitable[Introspection]:
        """
        Reads the metadata of every table of a database into the inventory of the book, and says what was read
        (`introspection_runs`). A table that cannot be described fails alone. The URL is as for `inspect_database`.

        Errors: As there.

        To be awaited.
        """
    def limit_volume(self, /, name: str, bandwidth: str | None = None) -> None:
        """
        Sets how fast bytes may pass to and from a saved volume. None: as fast as they can.

        Errors: `not_found`; `stale` when its row was changed meanwhile; `invalid`.
        """
    def limit_volume_async(self, /, name: str, bandwidth: str | None = None) -> Awaitable[None]:
        """
        Sets how fast bytes may pass to and from a saved volume. None: as fast as they can.

        Errors: `not_found`; `stale` when its row was changed meanwhile; `invalid`.

        To be awaited.
        """
    def list_rows(self, /, table: str, filter: RowFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> RowPage:
        """
        A page of the rows that the filter names, after the page that ended there; 1,000 at most.

        Errors: `invalid` when no index serves the list, or `after` is of another list.
        """
    def list_rows_async(self, /, table: str, filter: RowFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[RowPage]:
        """
        A page of the rows that the filter names, after the page that ended there; 1,000 at most.

        Errors: `invalid` when no index serves the list, or `after` is of another list.

        To be awaited.
        """
    def maintain(self, /) -> Upkeep:
        """
        Removes what has outlived its time: previews, trash, lines of activity, promises of room.

        Errors: `storage`, `busy`.
        """
    def maintain_async(self, /) -> Awaitable[Upkeep]:
        """
        Removes what has outlived its time: previews, trash, lines of activity, promises of room.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def preview(self, /, id: str) -> Preview:
        """
        A preview that is stored, by its id.

        Errors: `not_found` when there is none of this id or it has expired.
        """
    def preview_async(self, /, id: str) -> Awaitable[Preview]:
        """
        A preview that is stored, by its id.

        Errors: `not_found` when there is none of this id or it has expired.

        To be awaited.
        """
    def previews(self, /, filter: PreviewFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> PreviewPage:
        """
        The previews that are stored, the last computed first; pages of 1,000 at most.

        Errors: `invalid` when `after` is of another list; `storage`, `busy`.
        """
    def previews_async(self, /, filter: PreviewFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[PreviewPage]:
        """
        The previews that are stored, the last computed first; pages of 1,000 at most.

        Errors: `invalid` when `after` is of another list; `storage`, `busy`.

        To be awaited.
        """
    def progress(self, /, filter: ProgressFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> ProgressPage:
        """
        How far the runs of the tenant are or came, the last begun first; pages of 1,000 at most.

        Errors: `invalid` when `after` is of another list; `storage`, `busy`.
        """
    def progress_async(self, /, filter: ProgressFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[ProgressPage]:
        """
        How far the runs of the tenant are or came, the last begun first; pages of 1,000 at most.

        Errors: `invalid` when `after` is of another list; `storage`, `busy`.

        To be awaited.
        """
    def records(self, /, source: RecordPlace | str, target: RecordPlace | str) -> Definition:
        """
        The definition of these two tables as it is: it keeps the attributes that it was given last.

        Errors: `not_found` when they were never connected with each other.
        """
    def records_async(self, /, source: RecordPlace | str, target: RecordPlace | str) -> Awaitable[Definition]:
        """
        The definition of these two tables as it is: it keeps the attributes that it was given last.

        Errors: `not_found` when they were never connected with each other.

        To be awaited.
        """
    def remove_volume(self, /, name: str) -> None:
        """
        Forgets a saved volume, with what lets one in. What is stored there stays.

        Errors: `not_found`; `conflict` while files or conduits of it are in the book.
        """
    def remove_volume_async(self, /, name: str) -> Awaitable[None]:
        """
        Forgets a saved volume, with what lets one in. What is stored there stays.

        Errors: `not_found`; `conflict` while files or conduits of it are in the book.

        To be awaited.
        """
    def renew_data_key(self, /) -> int:
        """
        Gives the tenant a new data key and seals all its secrets anew with it; returns how many.

        Errors: `wrong_key` when the book was opened without its key; `corrupt` with the place of a secret that
        does not open.
        """
    def renew_data_key_async(self, /) -> Awaitable[int]:
        """
        Gives the tenant a new data key and seals all its secrets anew with it; returns how many.

        Errors: `wrong_key` when the book was opened without its key; `corrupt` with the place of a secret that
        does not open.

        To be awaited.
        """
    def resolve_error(self, /, id: str, notes: str) -> SyncError:
        """
        Marks a failure as made good, and says how.

        Errors: `not_found`; `conflict` when it is marked already; `storage`, `busy`.
        """
    def resolve_error_async(self, /, id: str, notes: str) -> Awaitable[SyncError]:
        """
        Marks a failure as made good, and says how.

        Errors: `not_found`; `conflict` when it is marked already; `storage`, `busy`.

        To be awaited.
        """
    def restore_row(self, /, table: str, id: str) -> str:
        """
        Takes a deletion back.

        Errors: `unsupported` where deleted rows are gone; `not_found`; `conflict` when another row has taken
        its place.
        """
    def restore_row_async(self, /, table: str, id: str) -> Awaitable[str]:
        """
        Takes a deletion back.

        Errors: `unsupported` where deleted rows are gone; `not_found`; `conflict` when another row has taken
        its place.

        To be awaited.
        """
    def reveal(self, /, table: str, id: str, column: str) -> str | None:
        """
        The secret in a column of a row, in the open; none where the column is empty.

        Errors: `wrong_key` when the book was opened without its key; `invalid` when the column holds no
        secrets, or one that is not text; `not_found`.
        """
    def reveal_async(self, /, table: str, id: str, column: str) -> Awaitable[str | None]:
        """
        The secret in a column of a row, in the open; none where the column is empty.

        Errors: `wrong_key` when the book was opened without its key; `invalid` when the column holds no
        secrets, or one that is not text; `not_found`.

        To be awaited.
        """
    def save_directory(self, /, name: str, path: str | PathLike[str]) -> str:
        """
        Saves a directory of this machine as a volume, and approves it; returns the volume's id.

        Errors: `not_found` when there is no such directory; `conflict` when the name is taken.
        """
    def save_directory_async(self, /, name: str, path: str | PathLike[str]) -> Awaitable[str]:
        """
        Saves a directory of this machine as a volume, and approves it; returns the volume's id.

        Errors: `not_found` when there is no such directory; `conflict` when the name is taken.

        To be awaited.
        """
    def save_volume(self, /, name: str, url: str, access: Access | None = None) -> str:
        """
        Saves a place behind a URL as a volume, with what lets one in there, sealed; returns the volume's id.

        Errors: `conflict` when the name is taken; `invalid`; `wrong_key` when the book was opened without its
        key and there is something to seal.
        """
    def save_volume_async(self, /, name: str, url: str, access: Access | None = None) -> Awaitable[str]:
        """
        Saves a place behind a URL as a volume, with what lets one in there, sealed; returns the volume's id.

        Errors: `conflict` when the name is taken; `invalid`; `wrong_key` when the book was opened without its
        key and there is something to seal.

        To be awaited.
        """
    def set_sharepoint_budget(self, /, account: UnitAccount, budget: UnitBudget) -> None:
        """
        Sets how many resource units an application of SharePoint may spend, for all processes that use this book.

        Errors: `invalid` for a budget of nothing; `storage`, `busy`.
        """
    def set_sharepoint_budget_async(self, /, account: UnitAccount, budget: UnitBudget) -> Awaitable[None]:
        """
        Sets how many resource units an application of SharePoint may spend, for all processes that use this book.

        Errors: `invalid` for a budget of nothing; `storage`, `busy`.

        To be awaited.
        """
    def sharepoint_budget(self, /, account: UnitAccount) -> UnitBudget:
        """
        How many resource units an application of SharePoint may spend; unless told otherwise, those of the
        smallest tenants.

        Errors: `storage`, `busy`.
        """
    def sharepoint_budget_async(self, /, account: UnitAccount) -> Awaitable[UnitBudget]:
        """
        How many resource units an application of SharePoint may spend; unless told otherwise, those of the
        smallest tenants.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def table_drift(self, /, place: RecordPlace | str) -> builtins.list[TableDrift]:
        """
        What has changed about a table since its last snapshot, and what that is to each definition that goes by
        it. Nothing is written: it is told until a run has gone over it, or the table is accepted.

        Errors: As `inspect_database`.
        """
    def table_drift_async(self, /, place: RecordPlace | str) -> Awaitable[builtins.list[TableDrift]]:
        """
        What has changed about a table since its last snapshot, and what that is to each definition that goes by
        it. Nothing is written: it is told until a run has gone over it, or the table is accepted.

        Errors: As `inspect_database`.

        To be awaited.
        """
    @property
    def tenant(self, /) -> str:
        """
        The id of the tenant this session acts for.

        Errors: `invalid` after a fork or after the book was shut down.
        """
    def update_row(self, /, table: str, id: str, updated_at: str, fields: str) -> str:
        """
        Changes the fields given of the row that was read with this `updated_at`.

        Errors: `stale` when it was changed since; `not_found`; else as `create_row`.
        """
    def update_row_async(self, /, table: str, id: str, updated_at: str, fields: str) -> Awaitable[str]:
        """
        Changes the fields given of the row that was read with this `updated_at`.

        Errors: `stale` when it was changed since; `not_found`; else as `create_row`.

        To be awaited.
        """
    def verify(self, /, source: Place | str | PathLike[str], target: Place | str | PathLike[str], options: VerifyOptions | None = None) -> VerifyReport:
        """
        Looks at two places and says where they differ, whatever any ledger says of their contents.

        Errors: `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be
        used.
        """
    def verify_async(self, /, source: Place | str | PathLike[str], target: Place | str | PathLike[str], options: VerifyOptions | None = None) -> Awaitable[VerifyReport]:
        """
        Looks at two places and says where they differ, whatever any ledger says of their contents.

        Errors: `not_found`, `permission`, `offline`: a root cannot be read. `invalid`: a pattern cannot be
        used.

        To be awaited.
        """
    def volume(self, /, name_or_id: str) -> Volume:
        """
        Opens a saved volume by its name, or by its id.

        Errors: `not_found`; `invalid` when it is not active or its row cannot be used as it stands;
        `permission` when its directory was never approved; `unsupported`; as the place.
        """
    def volume_async(self, /, name_or_id: str) -> Awaitable[Volume]:
        """
        Opens a saved volume by its name, or by its id.

        Errors: `not_found`; `invalid` when it is not active or its row cannot be used as it stands;
        `permission` when its directory was never approved; `unsupported`; as the place.

        To be awaited.
        """
    def volume_on(self, /, name_or_id: str, store: HostStore) -> Volume:
        """
        As `volume`, on files that the host brings in the place of those that its row names.

        Errors: As there.
        """
    def volume_on_async(self, /, name_or_id: str, store: HostStore) -> Awaitable[Volume]:
        """
        As `volume`, on files that the host brings in the place of those that its row names.

        Errors: As there.

        To be awaited.
        """
    def volumes(self, /) -> builtins.list[SavedVolume]:
        """
        The saved volumes by their names, without what lets one in. Needs no key of the book.

        Errors: `storage`, `busy`.
        """
    def volumes_async(self, /) -> Awaitable[builtins.list[SavedVolume]]:
        """
        The saved volumes by their names, without what lets one in. Needs no key of the book.

        Errors: `storage`, `busy`.

        To be awaited.
        """
    def watch_progress(self, /, sync_id: str) -> ProgressWatch:
        """
        Watches the progress of a run by its `sync_id`, in this process or another, until it completes.

        Errors: `invalid` after a fork or after the book was shut down.
        """

@final
class SharedLink:
    """
    A link that opens a file, without its URL.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def created_at(self, /) -> str:
        """
        When it was made.
        """
    @property
    def created_by_user_id(self, /) -> str:
        """
        Who made it.
        """
    @property
    def expires_at(self, /) -> str | None:
        """
        When it ends.
        """
    @property
    def id(self, /) -> str:
        """
        Its id.
        """
    @property
    def is_active(self, /) -> bool:
        """
        Nobody has revoked it, and it has not ended.
        """
    @property
    def volume_file_id(self, /) -> str | None:
        """
        The file.
        """

@final
class Side:
    """
    One side of a conduit.
    """
    SOURCE: Final[Side]
    """
    Where it comes from.
    """
    TARGET: Final[Side]
    """
    Where it goes.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> Side: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class SkipCause:
    """
    Why an item is left alone.
    """
    EXCLUDED: Final[SkipCause]
    """
    The filter leaves it out.
    """
    NAME_COLLISION: Final[SkipCause]
    """
    Another item has the same name on a side.
    """
    NAME_NOT_ALLOWED: Final[SkipCause]
    """
    A side cannot hold the name.
    """
    NOT_RELEASABLE: Final[SkipCause]
    """
    Selective mode: let go, but the target's copy was edited or the source does not provably have it.
    """
    NOT_SELECTED: Final[SkipCause]
    """
    Selective mode: not chosen for the target.
    """
    SUSPECT: Final[SkipCause]
    """
    Damaged by an unclean stop.
    """
    UNKNOWN: Final[SkipCause]
    """
    It or the directory it lies in could not be read.
    """
    UNSUPPORTED_KIND: Final[SkipCause]
    """
    Neither file, link nor directory.
    """
    UNTRACKED: Final[SkipCause]
    """
    Mirror mode, not exact: the ledger never knew it at the target.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> SkipCause: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class StorageVolume:
    """
    The rules of a volume.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def auto_path_strategy(self, /) -> AutoPathStrategy:
        """
        How a file without a path gets one.
        """
    @property
    def default_prefix(self, /) -> str | None:
        """
        Put before every path.
        """
    @property
    def driver(self, /) -> Driver:
        """
        How it is reached.
        """
    @property
    def enforce_hierarchy(self, /) -> bool:
        """
        Paths are folders.
        """
    @property
    def id(self, /) -> str:
        """
        Its id.
        """
    @property
    def is_active(self, /) -> bool:
        """
        Whether it may be used.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """
    @property
    def path_delimiter(self, /) -> str:
        """
        1 to 5 characters between path segments.
        """
    @property
    def quota_limit(self, /) -> int | None:
        """
        Bytes it may hold; none for no limit.
        """
    @property
    def quota_used(self, /) -> int:
        """
        Bytes it held when it was opened.
        """
    @property
    def versioning_mode(self, /) -> VersioningMode:
        """
        What is kept when a file is overwritten.
        """

@final
class StoredFile:
    """
    A file of a volume.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def app_id(self, /) -> str | None:
        """
        The app that owns it.
        """
    @property
    def created_at(self, /) -> str:
        """
        When it was made.
        """
    @property
    def digest(self, /) -> str | None:
        """
        BLAKE3 of the content, as hexadecimal text; none where it is not known.
        """
    @property
    def filename(self, /) -> str:
        """
        The name it was given.
        """
    @property
    def id(self, /) -> str:
        """
        Its id.
        """
    @property
    def is_deleted(self, /) -> bool:
        """
        Whether it is deleted, and can be restored.
        """
    @property
    def is_public(self, /) -> bool:
        """
        Whether it may be read by anyone.
        """
    @property
    def metadata(self, /) -> str | None:
        """
        The host's own: a JSON object.
        """
    @property
    def mime_type(self, /) -> str | None:
        """
        Such as `image/png`.
        """
    @property
    def namespace(self, /) -> Namespace:
        """
        Whose part of the volume it is in.
        """
    @property
    def path(self, /) -> str | None:
        """
        The path that names it in calls; none for a version, and for a file of another user.
        """
    @property
    def size(self, /) -> int:
        """
        Bytes.
        """
    @property
    def storage_path(self, /) -> str:
        """
        Where it is, from the volume's root.
        """
    @property
    def updated_at(self, /) -> str:
        """
        When it was last changed.
        """
    @property
    def user_id(self, /) -> str | None:
        """
        Whose it is; none for files of an app, and when the user is gone.
        """
    @property
    def version_no(self, /) -> int:
        """
        Which version of the file it is, from 1.
        """
    @property
    def version_of(self, /) -> str | None:
        """
        The file this was a version of; none for a file as it is.
        """
    @property
    def volume_id(self, /) -> str:
        """
        The volume.
        """

@final
class StoredPreview:
    """
    A preview that is stored.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def computed_at(self, /) -> str:
        """
        When the places were looked at.
        """
    @property
    def computed_by(self, /) -> str | None:
        """
        Who asked; none when the user is gone.
        """
    @property
    def conduit(self, /) -> str | None:
        """
        The conduit, for files.
        """
    @property
    def expires_at(self, /) -> str:
        """
        When it ends.
        """
    @property
    def id(self, /) -> str:
        """
        Names it.
        """
    @property
    def is_expired(self, /) -> bool:
        """
        It can no longer be applied, and is removed at the next upkeep.
        """
    @property
    def is_pinned(self, /) -> bool:
        """
        A run that is under way, or is to be resumed, keeps it.
        """
    @property
    def state(self, /) -> PreviewState:
        """
        Where it stands.
        """
    @property
    def sync_id(self, /) -> str | None:
        """
        What it is of, in that thing's own words.
        """
    @property
    def sync_type(self, /) -> SyncType:
        """
        What it is of.
        """

@final
class StoredProgress:
    """
    How far a run is or came, as the book has it.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def batch_number(self, /) -> int | None:
        """
        The batch in hand.
        """
    @property
    def completed_at(self, /) -> str | None:
        """
        When it ended; none while it is under way.
        """
    @property
    def current_item(self, /) -> int:
        """
        The item in hand.
        """
    @property
    def elapsed_seconds(self, /) -> int:
        """
        Seconds since it began, or that it took.
        """
    @property
    def entity_type(self, /) -> SyncEntityType:
        """
        What is counted.
        """
    @property
    def eta_seconds(self, /) -> int | None:
        """
        Seconds that it will take still; none without a speed.
        """
    @property
    def failed_count(self, /) -> int:
        """
        Items that failed.
        """
    @property
    def id(self, /) -> str:
        """
        Its id.
        """
    @property
    def initiated_by(self, /) -> str | None:
        """
        Who started it.
        """
    @property
    def job_id(self, /) -> str | None:
        """
        The conduit or definition.
        """
    @property
    def processed_count(self, /) -> int:
        """
        Items done.
        """
    @property
    def source_system(self, /) -> str | None:
        """
        Where the items come from.
        """
    @property
    def speed_items_per_min(self, /) -> float | None:
        """
        Items per minute.
        """
    @property
    def started_at(self, /) -> str:
        """
        When it began.
        """
    @property
    def status(self, /) -> SyncStatus:
        """
        Where it stands.
        """
    @property
    def sync_id(self, /) -> str:
        """
        The run.
        """
    @property
    def total_items(self, /) -> int:
        """
        Items in all.
        """
    @property
    def updated_at(self, /) -> str:
        """
        When it last changed.
        """

@final
class SyncAction:
    """
    What happened.
    """
    BATCH_PROCESS: Final[SyncAction]
    """
    A batch was done.
    """
    ERROR_RECOVERY: Final[SyncAction]
    """
    A failure was made good.
    """
    MANUAL_TRIGGER: Final[SyncAction]
    """
    A person started a run.
    """
    PARTIAL_RESUME: Final[SyncAction]
    """
    A run continued where one was cut short.
    """
    PREVIEW_DELTA: Final[SyncAction]
    """
    A preview was made.
    """
    SCHEDULED_RUN: Final[SyncAction]
    """
    The schedule started a run.
    """
    SYNC_COMPLETE: Final[SyncAction]
    """
    A run ended; the status says how.
    """
    SYNC_START: Final[SyncAction]
    """
    A run began.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> SyncAction: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class SyncEntityType:
    """
    What is counted.
    """
    ATTRIBUTE: Final[SyncEntityType]
    """
    An attribute.
    """
    CATEGORY: Final[SyncEntityType]
    """
    A category.
    """
    CUSTOMER: Final[SyncEntityType]
    """
    A customer.
    """
    FILE: Final[SyncEntityType]
    """
    A file.
    """
    INVENTORY: Final[SyncEntityType]
    """
    A stock level.
    """
    INVOICE: Final[SyncEntityType]
    """
    An invoice.
    """
    ORDER: Final[SyncEntityType]
    """
    An order.
    """
    PRODUCT: Final[SyncEntityType]
    """
    A product.
    """
    ROW: Final[SyncEntityType]
    """
    A row.
    """
    SUPPLIER: Final[SyncEntityType]
    """
    A supplier.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> SyncEntityType: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class SyncError:
    """
    The failure of one item, as the book has it.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def connection_id(self, /) -> str | None:
        """
        The cloud connection, an owner.
        """
    @property
    def created_at(self, /) -> str:
        """
        When it happened.
        """
    @property
    def error_code(self, /) -> str | None:
        """
        The other side's code.
        """
    @property
    def error_message(self, /) -> str:
        """
        What happened, for a person.
        """
    @property
    def error_type(self, /) -> SyncErrorType:
        """
        The class.
        """
    @property
    def file_id(self, /) -> str | None:
        """
        The indexed file.
        """
    @property
    def id(self, /) -> str:
        """
        Its id.
        """
    @property
    def path(self, /) -> str | None:
        """
        The item's path.
        """
    @property
    def resolution_notes(self, /) -> str | None:
        """
        How.
        """
    @property
    def resolved_at(self, /) -> str | None:
        """
        When it was made good.
        """
    @property
    def retry_count(self, /) -> int:
        """
        Tries made after the first.
        """
    @property
    def sync_job_id(self, /) -> str | None:
        """
        The cloud sync job.
        """
    @property
    def updated_at(self, /) -> str:
        """
        When it was last changed.
        """
    @property
    def volume_id(self, /) -> str | None:
        """
        The volume, an owner.
        """

@final
class SyncErrorType:
    """
    The class of a failure.
    """
    API: Final[SyncErrorType]
    """
    The other side failed or answered something unexpected.
    """
    AUTH: Final[SyncErrorType]
    """
    Credentials were refused.
    """
    NETWORK: Final[SyncErrorType]
    """
    The other side was out of reach.
    """
    PERMISSION: Final[SyncErrorType]
    """
    Not allowed.
    """
    QUOTA: Final[SyncErrorType]
    """
    No space or quota was left, or the pace was too high.
    """
    TIMEOUT: Final[SyncErrorType]
    """
    No answer in time.
    """
    VALIDATION: Final[SyncErrorType]
    """
    The item cannot be carried as it is.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> SyncErrorType: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class SyncMode:
    """
    What a conduit does.
    """
    BIDIRECTIONAL: Final[SyncMode]
    """
    Changes flow both ways, three-way merged.
    """
    MIRROR: Final[SyncMode]
    """
    The target is made like the source, deletions included.
    """
    SELECTIVE: Final[SyncMode]
    """
    Rules and pins choose what is held at the target.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> SyncMode: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class SyncStatus:
    """
    Where a running thing stands.
    """
    CANCELLED: Final[SyncStatus]
    """
    Stopped by a person.
    """
    COMPLETED: Final[SyncStatus]
    """
    Done.
    """
    COMPLETED_WITH_ERRORS: Final[SyncStatus]
    """
    Done, but for items that failed.
    """
    FAILED: Final[SyncStatus]
    """
    Stopped by an error.
    """
    IN_PROGRESS: Final[SyncStatus]
    """
    Under way.
    """
    PAUSED: Final[SyncStatus]
    """
    To be resumed.
    """
    PENDING: Final[SyncStatus]
    """
    Not begun.
    """
    TIMEOUT: Final[SyncStatus]
    """
    Stopped by a deadline.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> SyncStatus: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class SyncType:
    """
    What a preview is of.
    """
    CUSTOM: Final[SyncType]
    """
    A host's own store.
    """
    FILES: Final[SyncType]
    """
    A conduit.
    """
    ODOO: Final[SyncType]
    """
    An Odoo instance.
    """
    RECORDS: Final[SyncType]
    """
    A definition between tables and lists.
    """
    SHOPIFY: Final[SyncType]
    """
    A Shopify shop.
    """
    WOOCOMMERCE: Final[SyncType]
    """
    A WooCommerce shop.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> SyncType: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class TableDrift:
    """
    A change of a table, and what it is to each definition that goes by the table.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def change(self, /) -> SchemaChange:
        """
        What has changed.
        """
    @property
    def definitions(self, /) -> builtins.list[DefinitionDrift]:
        """
        The definitions.
        """

@final
class TableEntry:
    """
    A table as a list of tables shows it.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def name(self, /) -> str:
        """
        Its name.
        """
    @property
    def row_estimate(self, /) -> int | None:
        """
        How many rows it has, about; none where the store does not estimate.
        """
    @property
    def schema(self, /) -> str:
        """
        Its schema; empty where there are none.
        """
    @property
    def table_type(self, /) -> TableType:
        """
        What it is.
        """

@final
class TableInfo:
    """
    A table.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def columns(self, /) -> builtins.list[ColumnInfo]:
        """
        Its own columns. Every row has `id`, `created_at`, `updated_at` and `is_deleted` besides.
        """
    @property
    def deletion(self, /) -> Deletion:
        """
        What deleting a row means.
        """
    @property
    def lists(self, /) -> builtins.list[ListInfo]:
        """
        The lists that its indexes serve.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """

@final
class TableShape:
    """
    What is known of a table.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def columns(self, /) -> builtins.list[ColumnShape]:
        """
        Its columns, in their order.
        """
    @property
    def constraints(self, /) -> builtins.list[ConstraintShape]:
        """
        Its constraints.
        """
    @property
    def indexes(self, /) -> builtins.list[IndexShape]:
        """
        Its indexes.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """
    @property
    def primary_key(self, /) -> builtins.list[str]:
        """
        The columns of its primary key, in the order of that; empty when it has none.
        """
    @property
    def row_estimate(self, /) -> int | None:
        """
        How many rows it has, about.
        """
    @property
    def schema(self, /) -> str:
        """
        Its schema; empty where there are none.
        """
    @property
    def table_type(self, /) -> TableType:
        """
        What it is.
        """

@final
class TableType:
    """
    What a table is.
    """
    BASE: Final[TableType]
    """
    A table.
    """
    VIEW: Final[TableType]
    """
    A view.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> TableType: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Tenant:
    """
    Whose everything else is.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def created_at(self, /) -> str:
        """
        When it was made.
        """
    @property
    def id(self, /) -> str:
        """
        Its id.
        """
    @property
    def name(self, /) -> str:
        """
        Its name.
        """
    @property
    def updated_at(self, /) -> str:
        """
        When it was last changed.
        """

@final
class TlsMode:
    """
    How a connection is encrypted and whom it trusts: libpq's `sslmode`.
    """
    DISABLE: Final[TlsMode]
    """
    Plain text.
    """
    PREFER: Final[TlsMode]
    """
    TLS where the server has it. The server is not verified.
    """
    REQUIRE: Final[TlsMode]
    """
    TLS. The server is not verified, unless a CA file is named.
    """
    VERIFY_CA: Final[TlsMode]
    """
    TLS with a certificate that a trusted authority issued, for whatever name.
    """
    VERIFY_FULL: Final[TlsMode]
    """
    TLS with a trusted certificate for the host's name.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> TlsMode: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Trouble:
    """
    What kind of trouble a finding is.
    """
    DAMAGE: Final[Trouble]
    """
    Damage, or a rule that rows break. Restore a backup.
    """
    LOST_DIRECTORY: Final[Trouble]
    """
    A ledger row whose directory has no row.
    """
    OPEN_INTENT: Final[Trouble]
    """
    An intent that no run has finished and no run is working on: the next run of the conduit finishes it.
    """
    OPEN_RUN: Final[Trouble]
    """
    A run that is recorded as under way and that nobody is working on: the next run of the conduit closes it.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> Trouble: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class UnitAccount:
    """
    An application in a tenant of Entra: whom resource units of SharePoint are counted for.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, tenant: str, client_id: str, *, authority: str | None = None) -> UnitAccount: ...
    def __repr__(self, /) -> str: ...
    @property
    def authority(self, /) -> str | None:
        """
        Where its tokens come from, in a national cloud; `https://login.microsoftonline.com` unless told otherwise.
        """
    @property
    def client_id(self, /) -> str:
        """
        The id of the application.
        """
    @property
    def tenant(self, /) -> str:
        """
        The tenant, by its id or its domain, as lists of the application name it.
        """

@final
class UnitBudget:
    """
    How many resource units of SharePoint an application may spend in a tenant.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, per_minute: SupportsIndex, per_day: SupportsIndex) -> UnitBudget: ...
    def __repr__(self, /) -> str: ...
    @property
    def per_day(self, /) -> int:
        """
        In a day of UTC; in every tenant a thousand times that.
        """
    @property
    def per_minute(self, /) -> int:
        """
        In a minute: 1,200 in the smallest tenants, 6,000 in the largest.
        """

@final
class Upkeep:
    """
    What upkeep removed.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def activity(self, /) -> int:
        """
        Lines of activity that were deleted for their age.
        """
    @property
    def previews(self, /) -> int:
        """
        Previews that had expired.
        """
    @property
    def reservations(self, /) -> int:
        """
        Promises of room on volumes that had expired.
        """
    @property
    def transfers(self, /) -> int:
        """
        Large files whose transfer nobody has continued for 30 days.
        """
    @property
    def trashed(self, /) -> int:
        """
        Items that had been in the trash of a directory of this machine for 30 days.
        """

@final
class Usage:
    """
    What a volume, its users and its apps hold.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def apps(self, /) -> builtins.list[Holding]:
        """
        Of each app that has one.
        """
    @property
    def users(self, /) -> builtins.list[Holding]:
        """
        Of each user that has a quota on it.
        """
    @property
    def volume_bytes(self, /) -> int:
        """
        Bytes on the volume.
        """

@final
class User:
    """
    Somebody who acts for a tenant.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def created_at(self, /) -> str:
        """
        When the user was made.
        """
    @property
    def display_name(self, /) -> str:
        """
        How the user is shown; may be empty.
        """
    @property
    def email(self, /) -> str | None:
        """
        Unique per tenant.
        """
    @property
    def id(self, /) -> str:
        """
        The user's id.
        """
    @property
    def updated_at(self, /) -> str:
        """
        When the user was last changed.
        """

@final
class ValueKind:
    """
    What a column holds, and how that is written in JSON.
    """
    BYTES: Final[ValueKind]
    """
    Bytes, as hexadecimal text.
    """
    FLAG: Final[ValueKind]
    """
    True or false.
    """
    ID: Final[ValueKind]
    """
    An id, as text.
    """
    INTEGER: Final[ValueKind]
    """
    A whole number.
    """
    JSON: Final[ValueKind]
    """
    Any JSON.
    """
    NUMBER: Final[ValueKind]
    """
    A number with a fraction.
    """
    SECRET: Final[ValueKind]
    """
    A secret: given as text, and read back as `true`.
    """
    TEXT: Final[ValueKind]
    """
    Text.
    """
    TIME: Final[ValueKind]
    """
    A time, as text.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> ValueKind: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Verify:
    """
    How a run looks at what it carried.
    """
    CHECKSUM: Final[Verify]
    """
    Contents are read again and hashed.
    """
    NONE: Final[Verify]
    """
    Not at all.
    """
    SIZE: Final[Verify]
    """
    Sizes are compared.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> Verify: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class VerifyOptions:
    """
    What two places are compared as.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, *, filters: Filters | None = None, checksum: bool | None = None) -> VerifyOptions: ...
    def __repr__(self, /) -> str: ...
    @property
    def checksum(self, /) -> bool | None:
        """
        Read every file on both sides. Without, kinds and sizes are compared.
        """
    @property
    def filters(self, /) -> Filters | None:
        """
        What takes part. None: what took part when the two were last synced, and everything where they never were.
        """

@final
class VerifyReport:
    """
    The outcome of a verification.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __repr__(self, /) -> str: ...
    @property
    def bytes(self, /) -> int:
        """
        Bytes that were read on each side to compare contents.
        """
    @property
    def compared(self, /) -> int:
        """
        Items that were compared.
        """
    @property
    def differences(self, /) -> builtins.list[Difference]:
        """
        The first of them, 1,000 at most.
        """
    @property
    def differing(self, /) -> int:
        """
        How many items differ.
        """
    @property
    def filters(self, /) -> Filters:
        """
        What took part.
        """
    @property
    def left_out(self, /) -> int:
        """
        Items that took no part.
        """
    @property
    def mode(self, /) -> SyncMode | None:
        """
        The mode that the two were last synced in, where that and its filters decided what took part.
        """

@final
class VersioningMode:
    """
    What is kept when a file is overwritten.
    """
    NONE: Final[VersioningMode]
    """
    Nothing.
    """
    SOURCE: Final[VersioningMode]
    """
    Every state the source had.
    """
    TARGET: Final[VersioningMode]
    """
    The version that would be overwritten.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> VersioningMode: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class Volume:
    """
    A volume, opened. Its rules are those that its row had then.
    """
    def delete(self, /, file: FileAt) -> StoredFile:
        """
        Deletes a file: it is out of sight, and can be restored. Its versions stay.

        Errors: `not_found`; `busy` while another works on it; `invalid` for a version, which can only be
        purged.
        """
    def delete_async(self, /, file: FileAt) -> Awaitable[StoredFile]:
        """
        Deletes a file: it is out of sight, and can be restored. Its versions stay.

        Errors: `not_found`; `busy` while another works on it; `invalid` for a version, which can only be
        purged.

        To be awaited.
        """
    def list(self, /, filter: FileFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> FilePage:
        """
        A page of the files that are not deleted, versions left out, in the order of their paths; 1,000 at most.

        Errors: `invalid` when no path can begin like that.
        """
    def list_async(self, /, filter: FileFilter | None = None, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[FilePage]:
        """
        A page of the files that are not deleted, versions left out, in the order of their paths; 1,000 at most.

        Errors: `invalid` when no path can begin like that.

        To be awaited.
        """
    def list_deleted(self, /, after: str | None = None, limit: SupportsIndex | None = None) -> FilePage:
        """
        A page of the deleted files, which can be restored or purged; 1,000 at most.

        Errors: `invalid` when `after` is of another list.
        """
    def list_deleted_async(self, /, after: str | None = None, limit: SupportsIndex | None = None) -> Awaitable[FilePage]:
        """
        A page of the deleted files, which can be restored or purged; 1,000 at most.

        Errors: `invalid` when `after` is of another list.

        To be awaited.
        """
    def open_file(self, /, file: FileAt, offset: SupportsIndex | None = None, length: SupportsIndex | None = None) -> FileReader:
        """
        Opens a file at `offset`, to its end or for `length` bytes.

        Errors: `not_found` when there is none, or it is another user's and not public; `invalid` when it ends
        before `offset`; `stale` when what is there is not what was put; as the place.
        """
    def open_file_async(self, /, file: FileAt, offset: SupportsIndex | None = None, length: SupportsIndex | None = None) -> Awaitable[FileReader]:
        """
        Opens a file at `offset`, to its end or for `length` bytes.

        Errors: `not_found` when there is none, or it is another user's and not public; `invalid` when it ends
        before `offset`; `stale` when what is there is not what was put; as the place.

        To be awaited.
        """
    def purge(self, /, id: str) -> None:
        """
        Removes a version, or a deleted file with its versions, for good, and gives the room back.

        Errors: `not_found`; `conflict` for a file that is not deleted; `busy`.
        """
    def purge_async(self, /, id: str) -> Awaitable[None]:
        """
        Removes a version, or a deleted file with its versions, for good, and gives the room back.

        Errors: `not_found`; `conflict` for a file that is not deleted; `busy`.

        To be awaited.
        """
    def put(self, /, file: NewFile, bytes: builtins.bytes | bytearray | memoryview) -> StoredFile:
        """
        Puts a file on the volume, where there is one in the place of that; a file that is overwritten keeps its
        id.

        Errors: `quota` when the volume, the user or the app may not hold it; `invalid`; `busy` while another
        puts a file there; `conflict` when something is there that is no file of the volume, or that changed
        meanwhile; as the place.
        """
    def put_async(self, /, file: NewFile, bytes: builtins.bytes | bytearray | memoryview) -> Awaitable[StoredFile]:
        """
        Puts a file on the volume, where there is one in the place of that; a file that is overwritten keeps its
        id.

        Errors: `quota` when the volume, the user or the app may not hold it; `invalid`; `busy` while another
        puts a file there; `conflict` when something is there that is no file of the volume, or that changed
        meanwhile; as the place.

        To be awaited.
        """
    def put_from(self, /, file: NewFile, path: str | PathLike[str]) -> StoredFile:
        """
        As `put`, with the content of a file of this machine. Its size is looked at first.

        Errors: As there; `stale` when it has another size meanwhile; `not_found`, `permission` when it cannot
        be read.
        """
    def put_from_async(self, /, file: NewFile, path: str | PathLike[str]) -> Awaitable[StoredFile]:
        """
        As `put`, with the content of a file of this machine. Its size is looked at first.

        Errors: As there; `stale` when it has another size meanwhile; `not_found`, `permission` when it cannot
        be read.

        To be awaited.
        """
    def recompute_quotas(self, /) -> Usage:
        """
        Counts anew what the volume, its users and its apps hold, from the files.

        Errors: `not_found` when the volume is gone; `storage`, `busy`.
        """
    def recompute_quotas_async(self, /) -> Awaitable[Usage]:
        """
        Counts anew what the volume, its users and its apps hold, from the files.

        Errors: `not_found` when the volume is gone; `storage`, `busy`.

        To be awaited.
        """
    def restore(self, /, id: str) -> StoredFile:
        """
        Brings a deleted file back to its path.

        Errors: `not_found` when there is no deleted file of that id; `conflict` when another file is at its
        path by now; `busy`.
        """
    def restore_async(self, /, id: str) -> Awaitable[StoredFile]:
        """
        Brings a deleted file back to its path.

        Errors: `not_found` when there is no deleted file of that id; `conflict` when another file is at its
        path by now; `busy`.

        To be awaited.
        """
    def restore_version(self, /, version: str) -> StoredFile:
        """
        Puts the content of a version in the place of the file it was of. The version stays.

        Errors: `not_found` when there is no version of that id, or its file is deleted; as `put`.
        """
    def restore_version_async(self, /, version: str) -> Awaitable[StoredFile]:
        """
        Puts the content of a version in the place of the file it was of. The version stays.

        Errors: `not_found` when there is no version of that id, or its file is deleted; as `put`.

        To be awaited.
        """
    def revoke_link(self, /, link: str) -> SharedLink:
        """
        Marks a link as one that shall not be used any more. The link itself opens the file until it expires.

        Errors: `not_found`; `stale` when the row was changed at this moment.
        """
    def revoke_link_async(self, /, link: str) -> Awaitable[SharedLink]:
        """
        Marks a link as one that shall not be used any more. The link itself opens the file until it expires.

        Errors: `not_found`; `stale` when the row was changed at this moment.

        To be awaited.
        """
    @property
    def row(self, /) -> StorageVolume:
        """
        Its rules, as they were when it was opened.

        Errors: `invalid` after a fork or after the book was shut down.
        """
    def share(self, /, file: FileAt, valid_ms: SupportsIndex) -> FileLink:
        """
        Makes a link by which anybody can read the file for so long: one second to seven days.

        Errors: `not_found`; `unsupported` when the place makes no links: only those on S3 do; `invalid` for
        another time.
        """
    def share_async(self, /, file: FileAt, valid_ms: SupportsIndex) -> Awaitable[FileLink]:
        """
        Makes a link by which anybody can read the file for so long: one second to seven days.

        Errors: `not_found`; `unsupported` when the place makes no links: only those on S3 do; `invalid` for
        another time.

        To be awaited.
        """
    def shared_links(self, /, file: FileAt) -> builtins.list[SharedLink]:
        """
        The links to a file, in the order in which they were made; 1,000 at most.

        Errors: `not_found`.
        """
    def shared_links_async(self, /, file: FileAt) -> Awaitable[builtins.list[SharedLink]]:
        """
        The links to a file, in the order in which they were made; 1,000 at most.

        Errors: `not_found`.

        To be awaited.
        """
    def stat(self, /, file: FileAt) -> StoredFile:
        """
        What the book knows of a file.

        Errors: `not_found`.
        """
    def stat_async(self, /, file: FileAt) -> Awaitable[StoredFile]:
        """
        What the book knows of a file.

        Errors: `not_found`.

        To be awaited.
        """
    def tidy(self, /) -> None:
        """
        Removes at the place what no row knows any more.

        Errors: As the place.
        """
    def tidy_async(self, /) -> Awaitable[None]:
        """
        Removes at the place what no row knows any more.

        Errors: As the place.

        To be awaited.
        """
    def versions(self, /, id: str) -> builtins.list[StoredFile]:
        """
        The versions of a file that are kept, the latest first; 1,000 at most.

        Errors: `not_found`.
        """
    def versions_async(self, /, id: str) -> Awaitable[builtins.list[StoredFile]]:
        """
        The versions of a file that are kept, the latest first; 1,000 at most.

        Errors: `not_found`.

        To be awaited.
        """

@final
class WaitReason:
    """
    Why an item waits for a person.
    """
    NAME_COLLISION: Final[WaitReason]
    """
    Another item has the same name on that side, or a directory and a file have one name.
    """
    NAME_NOT_ALLOWED: Final[WaitReason]
    """
    That side cannot hold the name.
    """
    SUSPECT: Final[WaitReason]
    """
    An unclean stop may have damaged that side's file.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> WaitReason: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class WriteOutcome:
    """
    What became of a row that was to be written.
    """
    CHANGED: Final[WriteOutcome]
    """
    It is no longer the row that was given; nothing was written.
    """
    EXISTS: Final[WriteOutcome]
    """
    One with that key is there already; nothing was written.
    """
    GONE: Final[WriteOutcome]
    """
    There is none with that key; nothing was written.
    """
    REFUSED: Final[WriteOutcome]
    """
    It is not taken; nothing was written.
    """
    UNKNOWN: Final[WriteOutcome]
    """
    It may be written or not.
    """
    WRITTEN: Final[WriteOutcome]
    """
    It is written.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...
    def __int__(self, /) -> int: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, text: str) -> WriteOutcome: ...
    def __repr__(self, /) -> str: ...
    def __str__(self, /) -> str: ...

@final
class WrittenRow:
    """
    What became of a row that was to be written.
    """
    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    def __new__(cls, /, outcome: WriteOutcome, *, version: str | None = None, reason: str | None = None, code: ErrorCode | None = None) -> WrittenRow: ...
    def __repr__(self, /) -> str: ...
    @property
    def code(self, /) -> ErrorCode | None:
        """
        What kind of failure that was; `host` unless told otherwise.
        """
    @property
    def outcome(self, /) -> WriteOutcome:
        """
        What became of it.
        """
    @property
    def reason(self, /) -> str | None:
        """
        Why it was refused, or why it is not known.
        """
    @property
    def version(self, /) -> str | None:
        """
        Its version now, where rows have one.
        """

def codes() -> builtins.list[CodeInfo]:
    """
    Every code, in the order of its number.
    """

def content_hash(bytes: builtins.bytes | bytearray | memoryview) -> str:
    """
    The hash by which the engine knows content (BLAKE3, 64 hexadecimal digits): that of `AgreedItem.content`.
    """

def path_bytes(shown: str) -> builtins.bytes:
    """
    The bytes of a path that is shown so, separated by `/`; none for the root.

    Errors: `invalid` when no path is shown so.
    """

def show_address(url: str) -> str:
    """
    A URL as the engine writes it: the same for all ways to write the same place.

    Errors: `invalid` when it is no place, or holds a secret.
    """

def show_path(bytes: builtins.bytes | bytearray | memoryview) -> str:
    """
    How a path beneath a root is shown, and named in calls: a byte that is no UTF-8 is `\\\\xNN`, the backslash
    doubled, a control character escaped; the root is `.`. Of a `str`, give `os.fsencode` of it.

    Errors: `invalid` when no path beneath a root has such bytes.
    """

def tables() -> builtins.list[TableInfo]:
    """
    Every table whose rows hosts read and write.
    """

def version() -> str:
    """
    The version of the library.
    """
