// Portbook: preview what would change between two places, apply exactly that, and keep a ledger that proves what was carried.
//
// Generated from ffi/src/c; do not edit.
//
// ABI        While PORTBOOK_ABI_VERSION is 0 anything may change. From 1 on it only grows: functions are added, codes appended,
//            JSON that the library gives gains fields. What changes its meaning gets a new name.
// Calls      portbook_code f(handle, inputs, outputs, &error). PORTBOOK_OK: the outputs are written and error is not touched.
//            Anything else: the outputs are null or 0, and error is a text for people, freed with portbook_text_free; error may
//            be null. PORTBOOK_END ends a stream and writes no error. The code is what a program acts on; the text changes.
// Texts      UTF-8 that ends with NUL. What is not UTF-8 is PORTBOOK_INVALID. A NUL within a text of the library is shown as
//            U+FFFD. Paths are as they are displayed: a byte that is no UTF-8 is \xNN, the backslash doubled.
// Records    JSON objects, named in the comment of each function and described in portbook.schema.json. A record that may be left
//            out may be null. A field that is not known is PORTBOOK_INVALID. Whole numbers are below 2^53. What the library
//            gives may gain fields.
// Handles    Opaque; never dereferenced. One that is null, freed, of another type, or made before a fork is PORTBOOK_INVALID and
//            nothing else happens. Freeing is idempotent. Handles may be shared between threads; one thread may free what another
//            is waiting on.
// Threads    Any function may be called from any thread. Functions that block say so; none calls back. Stop a wait by
//            portbook_run_cancel, portbook_host_store_shutdown, portbook_book_shutdown.
// Memory     What the library gives is freed with the function that the comment names, once. What is given to it stays the
//            caller's and is not kept.


#ifndef PORTBOOK_H
#define PORTBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The ABI that this header describes. 0: it may still change; from 1 on it only grows.
#define PORTBOOK_ABI_VERSION 0

// What became of a call. Codes are appended and never change.
typedef enum {
  // The stream has ended: there is no output.
  PORTBOOK_END = -1,
  // It was done.
  PORTBOOK_OK = 0,
  // An argument or a configuration cannot be used as it stands.
  PORTBOOK_INVALID = 1,
  // What was named does not exist, or not for this tenant.
  PORTBOOK_NOT_FOUND = 2,
  // Both sides changed and no policy decides, or a row was changed by someone else meanwhile.
  PORTBOOK_CONFLICT = 3,
  // The state that was previewed has moved on.
  PORTBOOK_STALE = 4,
  // A guard stopped the run before it did anything.
  PORTBOOK_GUARD = 5,
  // The other side does not accept the credentials.
  PORTBOOK_AUTH = 6,
  // The credentials are good and do not allow this.
  PORTBOOK_PERMISSION = 7,
  // No space or no quota is left.
  PORTBOOK_QUOTA = 8,
  // The other side asks for a slower pace.
  PORTBOOK_THROTTLED = 9,
  // The other side cannot be reached.
  PORTBOOK_OFFLINE = 10,
  // The other side did not answer in time; whether it acted is unknown.
  PORTBOOK_TIMEOUT = 11,
  // The place cannot do what was asked.
  PORTBOOK_UNSUPPORTED = 12,
  // Another run holds what this one needs.
  PORTBOOK_BUSY = 13,
  // The book was written by a newer version.
  PORTBOOK_NEWER = 14,
  // The book or a file in it does not hold together.
  PORTBOOK_CORRUPT = 15,
  // The key does not open what it should.
  PORTBOOK_WRONG_KEY = 16,
  // Reading or writing a place or the book failed.
  PORTBOOK_STORAGE = 17,
  // The host's own code failed.
  PORTBOOK_HOST = 18,
  // The call was cancelled.
  PORTBOOK_CANCELLED = 19,
  // A defect of this library.
  PORTBOOK_INTERNAL = 20,
} portbook_code;

// An opened book.
typedef struct portbook_book portbook_book;

// A copy of a book under way.
typedef struct portbook_book_copy portbook_book_copy;

// A standing relation between two places.
typedef struct portbook_conduit portbook_conduit;

// A standing relation between two tables.
typedef struct portbook_definition portbook_definition;

// An open file of a volume.
typedef struct portbook_file_reader portbook_file_reader;

// The key of a book's secrets in the host's keeping.
typedef struct portbook_host_keys portbook_host_keys;

// Tables that the host holds. Freeing it ends it.
typedef struct portbook_host_records portbook_host_records;

// Files that the host holds. Freeing it ends it.
typedef struct portbook_host_store portbook_host_store;

// A preview that is stored in the book.
typedef struct portbook_preview portbook_preview;

// The progress of a run, as it changes.
typedef struct portbook_progress_watch portbook_progress_watch;

// A run under way. Freeing it lets the run go on.
typedef struct portbook_run portbook_run;

// A book used by one user of one tenant.
typedef struct portbook_session portbook_session;

// A volume, opened.
typedef struct portbook_volume portbook_volume;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The ABI of the library that is loaded: the same as `PORTBOOK_ABI_VERSION` while that is 0, not less from 1 on. Returns at
// once; any thread. Since ABI 0.
uint32_t portbook_abi_version(void);

// The version of the library, for people. Never freed. Returns at once; any thread. Since ABI 0.
const char *portbook_version(void);

// The text of a code, the same in every language: `not_found` for `PORTBOOK_NOT_FOUND`, `ok`, `end`; null for a number that is
// no code. Never freed. Returns at once; any thread. Since ABI 0.
const char *portbook_code_text(int32_t code);

// The table of codes: what each asks for, whether the same call may succeed later, its number.
//
// `json` is a list of `CodeInfo`, freed with `portbook_text_free`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_codes(char **json, char **error);

// Every table whose rows hosts read and write.
//
// `json` is a list of `TableInfo`, freed with `portbook_text_free`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_tables(char **json, char **error);

// The hash by which the engine knows content (BLAKE3, 64 hexadecimal digits): that of `AgreedItem`.
//
// `text` is freed with `portbook_text_free`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_content_hash(const uint8_t *bytes, size_t length, char **text, char **error);

// How a path beneath a root is shown, and named in calls: see the top of this header. The root, without bytes, is `.`.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `invalid` when no path beneath a root has such bytes.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_show_path(const uint8_t *bytes,
                                 size_t length,
                                 char **text,
                                 char **error);

// The bytes of a path that is shown so, separated by `/`; none for the root.
//
// `bytes` are freed with `portbook_bytes_free`.
//
// Errors: `invalid` when no path is shown so.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_path_bytes(const char *shown, uint8_t **bytes, size_t *length, char **error);

// A URL as the engine writes it: the same for all ways to write the same place.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `invalid` when it is no place, or holds a secret.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_show_address(const char *url, char **text, char **error);

// Frees a text that the library gave. Null is left alone. To be called once for each. Any thread. Since ABI 0.
void portbook_text_free(char *text);

// Frees bytes that the library gave, with the length that it gave. Null is left alone. To be called once for each. Any thread.
// Since ABI 0.
void portbook_bytes_free(uint8_t *bytes,
                         size_t length);

// Opens a book and brings its schema up to date.
//
// Records: `options` is a `BookOptions`.
//
// `book` is freed with `portbook_book_free`.
//
// Errors: `newer` when a newer version wrote it, `corrupt`, `invalid`, `permission`, `quota`, `busy`, `storage`;
// `offline`, `auth` for a server.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_open(const char *options,
                                 portbook_book **book,
                                 char **error);

// As `portbook_book_open`, with the key of its secrets in the host's keeping.
//
// Records: `options` is a `BookOptions`.
//
// `book` is freed with `portbook_book_free`.
//
// Errors: as there.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_open_with_keys(const char *options,
                                           const portbook_host_keys *keys,
                                           portbook_book **book,
                                           char **error);

// Acts as the only user of the only tenant, both made when they are absent.
//
// `session` is freed with `portbook_session_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_default_session(const portbook_book *book,
                                            portbook_session **session,
                                            char **error);

// Acts as a user of a tenant, by their ids.
//
// `session` is freed with `portbook_session_free`.
//
// Errors: `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_session(const portbook_book *book,
                                    const char *tenant,
                                    const char *user,
                                    portbook_session **session,
                                    char **error);

// Makes a tenant, without users.
//
// `json` is a `Tenant`, freed with `portbook_text_free`.
//
// Errors: `invalid` when the name is empty or longer than 255 characters.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_create_tenant(const portbook_book *book,
                                          const char *name,
                                          char **json,
                                          char **error);

// The tenants in the order in which they were made, after the one of that id; null for the first page. 1,000 at
// most.
//
// `json` is a list of `Tenant`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_tenants(const portbook_book *book,
                                    const char *after,
                                    uint32_t limit,
                                    char **json,
                                    char **error);

// Gives a tenant another name.
//
// `json` is the `Tenant`, freed with `portbook_text_free`.
//
// Errors: `not_found`, `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_rename_tenant(const portbook_book *book,
                                          const char *id,
                                          const char *name,
                                          char **json,
                                          char **error);

// Deletes a tenant and everything in the book that is its own. What its conduits have carried stays where it is.
//
// Errors: `not_found`; `busy` while one of its conduits runs.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_delete_tenant(const portbook_book *book,
                                          const char *id,
                                          char **error);

// Makes a user of a tenant.
//
// Records: `user` is a `NewUser`.
//
// `json` is the `User`, freed with `portbook_text_free`.
//
// Errors: `not_found`; `conflict` when it has a user of this address; `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_create_user(const portbook_book *book,
                                        const char *tenant,
                                        const char *user,
                                        char **json,
                                        char **error);

// Ends the book: runs under way are cancelled and end, whoever waits for the host does no longer, calls that begin
// later are `invalid`. Its handles still have to be freed. Idempotent.
//
// Errors: `invalid` for a handle that is none.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_shutdown(const portbook_book *book,
                                     char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_book_free(portbook_book *book);

// Removes what has outlived its time, for every tenant.
//
// `json` is an `Upkeep`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_maintain(const portbook_book *book, char **json, char **error);

// Makes this the key of the book's secrets. Other processes have to be given it, too.
//
// Records: `key` is a `KeyOptions`.
//
// Errors: `wrong_key`, `invalid`, `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_rotate_key(const portbook_book *book, const char *key, char **error);

// As `portbook_book_rotate_key`, to a key in the host's keeping.
//
// Errors: as there; `host`, `timeout`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_rotate_to_host_keys(const portbook_book *book,
                                                const portbook_host_keys *keys,
                                                char **error);

// Looks whether the book holds together. Reads the whole book.
//
// `json` is a list of `Finding`; empty for a sound book, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_check(const portbook_book *book, char **json, char **error);

// Gives the space of deleted rows back.
//
// Errors: `busy` when another process keeps the book; `quota`, `storage`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_vacuum(const portbook_book *book, char **error);

// Writes a copy of the book as of this moment into a new file, while it is in use. The copy is a book.
//
// Errors: `conflict` when the file is there; `unsupported` for a book on a server; `quota`, `permission`, `storage`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_backup(const portbook_book *book,
                                   const char *to,
                                   char **error);

// A copy of every row into another book, new and empty and on the other engine. It begins with
// `portbook_book_copy_finish`.
//
// `copy` is freed with `portbook_book_copy_free`.
//
// Errors: `invalid` when one of them was shut down.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_book_copy_into(const portbook_book *book,
                                      const portbook_book *other,
                                      portbook_book_copy **copy,
                                      char **error);

// How far a copy is.
//
// `json` is a `CopyProgress`, freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_book_copy_progress(const portbook_book_copy *book_copy,
                                          char **json,
                                          char **error);

// Ends a copy with `cancelled` soon. A handle that is none is left alone. Returns at once; any thread. Since ABI 0.
void portbook_book_copy_cancel(const portbook_book_copy *book_copy);

// Copies, and compares both books row by row. To be called once.
//
// `json` is a `CopyReport`, freed with `portbook_text_free`.
//
// Errors: `conflict` when the other book is not empty, or this one was written meanwhile; `busy` while a run is
// under way; `unsupported` when both are on the same engine; `permission`, `cancelled`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_book_copy_finish(const portbook_book_copy *book_copy,
                                        char **json,
                                        char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_book_copy_free(portbook_book_copy *book_copy);

// The id of the tenant this session acts for.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_session_tenant(const portbook_session *session, char **text, char **error);

// The conduit of these two places, found in either direction or made; its attributes become `options`.
//
// Records: `source` is a `Place`, `target` is a `Place`, `options` is a `ConduitOptions`, or null.
//
// `conduit` is freed with `portbook_conduit_free`.
//
// Errors: `invalid` when one place lies within the other, is not a directory, or a pattern cannot be used;
// `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_connect(const portbook_session *session,
                                       const char *source,
                                       const char *target,
                                       const char *options,
                                       portbook_conduit **conduit,
                                       char **error);

// The conduit of these two places as it is: it keeps the attributes that it was given last.
//
// Records: `source` is a `Place`, `target` is a `Place`.
//
// `conduit` is freed with `portbook_conduit_free`.
//
// Errors: `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_conduit(const portbook_session *session,
                                       const char *source,
                                       const char *target,
                                       portbook_conduit **conduit,
                                       char **error);

// The conduit that made a preview, by the preview's id and the places that it was made of.
//
// Records: `source` is a `Place`, `target` is a `Place`.
//
// `conduit` is freed with `portbook_conduit_free`.
//
// Errors: `not_found` when there is no such preview or it has expired; `invalid` when it is of other places, or goes
// the other way.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_conduit_of(const portbook_session *session,
                                          const char *preview,
                                          const char *source,
                                          const char *target,
                                          portbook_conduit **conduit,
                                          char **error);

// A preview that is stored, by its id.
//
// `preview` is freed with `portbook_preview_free`.
//
// Errors: `not_found` when there is none or it has expired.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_preview(const portbook_session *session,
                                       const char *id,
                                       portbook_preview **preview,
                                       char **error);

// Brings files that the host itself holds, under a key that is the same every time: `{"type":"host","key":KEY}` is
// the place. Answer its requests on a thread of their own.
//
// Records: `options` is a `HostOptions`, or null.
//
// `store` is freed with `portbook_host_store_free`.
//
// Errors: `conflict` while there is one of this key; `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_session_host_store(const portbook_session *session,
                                          const char *key,
                                          const char *options,
                                          portbook_host_store **store,
                                          char **error);

// Gives the tenant a new data key and seals all its secrets anew with it; how many.
//
// Errors: `wrong_key`, `corrupt`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_renew_data_key(const portbook_session *session,
                                              int64_t *number,
                                              char **error);

// Removes what has outlived its time: previews, trash, lines of activity, promises of room.
//
// `json` is an `Upkeep`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_maintain(const portbook_session *session, char **json, char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_session_free(portbook_session *session);

// The previews that are stored, the last computed first. `after` is `next` of the page before, or null.
//
// Records: `filter` is a `PreviewFilter`, or null.
//
// `json` is a `PreviewPage`, freed with `portbook_text_free`.
//
// Errors: `invalid` when `after` is of another list.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_previews(const portbook_session *session,
                                        const char *filter,
                                        const char *after,
                                        uint32_t limit,
                                        char **json,
                                        char **error);

// Looks at two places and says where they differ, whatever any ledger says of their contents.
//
// Records: `source` is a `Place`, `target` is a `Place`, `options` is a `VerifyOptions`, or null.
//
// `json` is a `VerifyReport`, freed with `portbook_text_free`.
//
// Errors: `not_found`, `permission`, `offline`: a root cannot be read; `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_verify(const portbook_session *session,
                                      const char *source,
                                      const char *target,
                                      const char *options,
                                      char **json,
                                      char **error);

// All runs, the latest first; 1,000 at most.
//
// `json` is a list of `GenerationSummary`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_history(const portbook_session *session,
                                       uint32_t limit,
                                       char **json,
                                       char **error);

// The runs between two places in either direction, the latest first; 1,000 at most.
//
// Records: `source` is a `Place`, `target` is a `Place`.
//
// `json` is a list of `GenerationSummary`, freed with `portbook_text_free`.
//
// Errors: `not_found` when they were never synced with each other.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_history_between(const portbook_session *session,
                                               const char *source,
                                               const char *target,
                                               uint32_t limit,
                                               char **json,
                                               char **error);

// What was done for the tenant, the latest first.
//
// Records: `filter` is a `ActivityFilter`, or null.
//
// `json` is an `ActivityPage`, freed with `portbook_text_free`.
//
// Errors: `invalid` when `after` is of another list.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_activity(const portbook_session *session,
                                        const char *filter,
                                        const char *after,
                                        uint32_t limit,
                                        char **json,
                                        char **error);

// How far the runs of the tenant are or came, the last begun first.
//
// Records: `filter` is a `ProgressFilter`, or null.
//
// `json` is a `ProgressPage`, freed with `portbook_text_free`.
//
// Errors: `invalid` when `after` is of another list.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_progress(const portbook_session *session,
                                        const char *filter,
                                        const char *after,
                                        uint32_t limit,
                                        char **json,
                                        char **error);

// Watches the progress of a run by its `sync_id`, in this process or another, until it completes.
//
// `watch` is freed with `portbook_progress_watch_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_session_watch_progress(const portbook_session *session,
                                              const char *sync_id,
                                              portbook_progress_watch **watch,
                                              char **error);

// Failures of items, the latest first.
//
// Records: `filter` is a `ErrorFilter`, or null.
//
// `json` is an `ErrorPage`, freed with `portbook_text_free`.
//
// Errors: `invalid` when `after` is of another list.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_errors(const portbook_session *session,
                                      const char *filter,
                                      const char *after,
                                      uint32_t limit,
                                      char **json,
                                      char **error);

// Marks a failure as made good, and says how.
//
// `json` is the `SyncError`, freed with `portbook_text_free`.
//
// Errors: `not_found`; `conflict` when it is marked already.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_resolve_error(const portbook_session *session,
                                             const char *id,
                                             const char *notes,
                                             char **json,
                                             char **error);

// The run's progress: at once the first time, then whenever it has changed; `PORTBOOK_END` after the row that
// completes it.
//
// `json` is a `StoredProgress`, freed with `portbook_text_free`.
//
// Errors: `not_found` when there is no such run.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_progress_watch_next_row(const portbook_progress_watch *progress_watch,
                                               char **json,
                                               char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_progress_watch_free(portbook_progress_watch *progress_watch);

// Makes a row of the fields given; the others get their defaults. The row as it is then.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `not_found` when there is no such table, or the row names a row that is not there; `invalid`, `conflict`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_create_row(const portbook_session *session,
                                          const char *table,
                                          const char *row,
                                          char **text,
                                          char **error);

// The row of that id.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `not_found` when there is none, or it is deleted.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_get_row(const portbook_session *session,
                                       const char *table,
                                       const char *id,
                                       char **text,
                                       char **error);

// A page of the rows that `filter`, a `RowFilter`, names; null for all.
//
// `json` is a `RowPage`, freed with `portbook_text_free`.
//
// Errors: `invalid` when no index serves the list, or `after` is of another list.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_list_rows(const portbook_session *session,
                                         const char *table,
                                         const char *filter,
                                         const char *after,
                                         uint32_t limit,
                                         char **json,
                                         char **error);

// Changes the fields given of the row that was read with this `updated_at`. The row as it is then.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `stale` when it was changed since; `not_found`, `invalid`, `conflict`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_update_row(const portbook_session *session,
                                          const char *table,
                                          const char *id,
                                          const char *updated_at,
                                          const char *fields,
                                          char **text,
                                          char **error);

// Deletes a row, or marks it where the table keeps deleted rows.
//
// Errors: `not_found`; `conflict` while other rows refer to it.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_delete_row(const portbook_session *session,
                                          const char *table,
                                          const char *id,
                                          char **error);

// Takes a deletion back.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `unsupported` where deleted rows are gone; `not_found`, `conflict`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_restore_row(const portbook_session *session,
                                           const char *table,
                                           const char *id,
                                           char **text,
                                           char **error);

// The secret in a column of a row, in the open.
//
// `text` is freed with `portbook_text_free`; null where there is none.
//
// Errors: `wrong_key` when the book was opened without its key; `invalid` when the column holds no secrets;
// `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_reveal(const portbook_session *session,
                                      const char *table,
                                      const char *id,
                                      const char *column,
                                      char **text,
                                      char **error);

// Its id in the book.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_conduit_id(const portbook_conduit *conduit, char **text, char **error);

// What it does.
//
// `json` is its `ConduitOptions`, freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_conduit_options(const portbook_conduit *conduit, char **json, char **error);

// Compares both places with the ledger and stores what would change. Writes nothing to either place.
//
// Records: `options` is a `PreviewOptions`, or null.
//
// `preview` is freed with `portbook_preview_free`.
//
// Errors: `not_found`, `permission`, `offline`: a root cannot be read; `invalid`: a pattern cannot be used.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_preview(const portbook_conduit *conduit,
                                       const char *options,
                                       portbook_preview **preview,
                                       char **error);

// Applies a preview as it stands, by its id, or goes on with one that was interrupted. What is wrong with it is the
// outcome of the run.
//
// Records: `options` is a `ApplyOptions`, or null.
//
// `run` is freed with `portbook_run_free`.
//
// Errors: `invalid` when an option cannot be used.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_conduit_apply(const portbook_conduit *conduit,
                                     const char *preview,
                                     const char *options,
                                     portbook_run **run,
                                     char **error);

// Previews and applies.
//
// Records: `preview` is a `PreviewOptions`, or null, `options` is a `ApplyOptions`, or null.
//
// `run` is freed with `portbook_run_free`.
//
// Errors: `invalid` when an option cannot be used.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_conduit_sync(const portbook_conduit *conduit,
                                    const char *preview,
                                    const char *options,
                                    portbook_run **run,
                                    char **error);

// The rules of selective mode in their order.
//
// `json` is a list of `SelectionRule`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_selection_rules(const portbook_conduit *conduit,
                                               char **json,
                                               char **error);

// Puts these rules in the place of the ones before.
//
// Records: `rules` is a list of `SelectionRule`.
//
// Errors: `invalid` when a pattern cannot be used; nothing has changed then.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_set_selection_rules(const portbook_conduit *conduit,
                                                   const char *rules,
                                                   char **error);

// The pins of selective mode, ordered by path.
//
// `json` is a list of `Pin`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_pins(const portbook_conduit *conduit, char **json, char **error);

// Pins a path, whatever the rules say of it. A pin that the path has already is turned round.
//
// Records: `pin` is a `Pin`.
//
// Errors: `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_pin(const portbook_conduit *conduit, const char *pin, char **error);

// Leaves a path to the rules again.
//
// Errors: `not_found` when it has no pin.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_unpin(const portbook_conduit *conduit,
                                     const char *path,
                                     char **error);

// The conflicts that wait for a person, the latest first, after the one of that number; 0 for the first page. 1,000
// at most.
//
// `json` is a list of `Conflict`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_conflicts(const portbook_conduit *conduit,
                                         int64_t after,
                                         uint32_t limit,
                                         char **json,
                                         char **error);

// One conflict, open or closed, with what is needed to decide about it.
//
// `json` is an `Inspection`, freed with `portbook_text_free`.
//
// Errors: `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_inspect_conflict(const portbook_conduit *conduit,
                                                int64_t id,
                                                char **json,
                                                char **error);

// Decides about a conflict; the next run carries it out. `mark` is that of the conflict as it was looked at.
//
// Records: `choice` is a `Choice`.
//
// Errors: `not_found`; `stale` when it is not what was looked at any more; `invalid` when that cannot be decided
// here.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_conduit_resolve_conflict(const portbook_conduit *conduit,
                                                int64_t id,
                                                const char *mark,
                                                const char *choice,
                                                char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_conduit_free(portbook_conduit *conduit);

// Names it: give it to `portbook_conduit_apply`.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_preview_id(const portbook_preview *preview, char **text, char **error);

// What it holds in sum.
//
// `json` is a `PreviewSummary`, freed with `portbook_text_free`.
//
// Errors: `not_found` when it has expired or was deleted.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_preview_summary(const portbook_preview *preview, char **json, char **error);

// A page of its changes in the order in which they are applied. `after` is `next` of the page before, or null. 1,000
// at most.
//
// Records: `filter` is a `ChangeFilter`, or null.
//
// `json` is a `ChangePage`, freed with `portbook_text_free`.
//
// Errors: `not_found`, `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_preview_changes(const portbook_preview *preview,
                                       const char *filter,
                                       const char *after,
                                       uint32_t limit,
                                       char **json,
                                       char **error);

// Ticks changes in or out. The second halves of a decision go with the first.
//
// Records: `changes` is a list of texts, the ids of changes.
//
// Errors: `not_found`; `busy` once it is being applied; `conflict` when an id is none of this preview or names a
// second half.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_preview_tick(const portbook_preview *preview,
                                    const char *changes,
                                    bool ticked,
                                    char **error);

// Ticks in or out every change that the filter names.
//
// Records: `filter` is a `ChangeFilter`, or null.
//
// Errors: as `portbook_preview_tick`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_preview_tick_all(const portbook_preview *preview,
                                        const char *filter,
                                        bool ticked,
                                        char **error);

// Deletes it. The handle still has to be freed.
//
// Errors: `not_found`; `busy` when a run is applying it or is to be resumed from it.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_preview_discard(const portbook_preview *preview, char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_preview_free(portbook_preview *preview);

// The next event; `PORTBOOK_END` after the last. Progress is skipped when nobody reads; what was applied and what
// failed never is: from the first call on the run waits for its events to be taken.
//
// `json` is a `RunEvent`, freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_run_next_event(const portbook_run *run,
                                      char **json,
                                      char **error);

// Ends the run at the next safe point. May be called more than once. A handle that is none is left alone. Returns at
// once; any thread. Since ABI 0.
void portbook_run_cancel(const portbook_run *run);

// Makes the run wait at the next safe point. A handle that is none is left alone. Returns at once; any thread. Since
// ABI 0.
void portbook_run_pause(const portbook_run *run);

// Lets a paused run go on. A handle that is none is left alone. Returns at once; any thread. Since ABI 0.
void portbook_run_resume(const portbook_run *run);

// Waits for the end and returns the outcome; the same again when called again. What is unread of its events is
// dropped.
//
// `json` is a `RunReport`, freed with `portbook_text_free`.
//
// Errors: `guard`, `busy`, `storage` …: the run as a whole could not be done. What happened to single items is in
// the report.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_run_finish(const portbook_run *run,
                                  char **json,
                                  char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_run_free(portbook_run *run);

// The definition that keeps these two tables in step, found or made; its attributes become `options`. Both are looked
// at, and the inventory of the book learns of them.
//
// Records: `source` is a `RecordPlace`, `target` is a `RecordPlace`, `options` is a `RecordOptions`, or null.
//
// `definition` is freed with `portbook_definition_free`.
//
// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at; `invalid`: there is no key, a
// column is not there, a field cannot cross.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_connect_records(const portbook_session *session,
                                               const char *source,
                                               const char *target,
                                               const char *options,
                                               portbook_definition **definition,
                                               char **error);

// The definition of these two tables as it is: it keeps the attributes that it was given last.
//
// Records: `source` is a `RecordPlace`, `target` is a `RecordPlace`.
//
// `definition` is freed with `portbook_definition_free`.
//
// Errors: `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_records(const portbook_session *session,
                                       const char *source,
                                       const char *target,
                                       portbook_definition **definition,
                                       char **error);

// The definition of that id (`sync_definitions`), with what its rows in the book say of how its databases are reached.
// One with a table of the host's own is found by `portbook_session_records`.
//
// `definition` is freed with `portbook_definition_free`.
//
// Errors: `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_definition(const portbook_session *session,
                                          const char *id,
                                          portbook_definition **definition,
                                          char **error);

// The tables of a database, without those of its system. The URL is that of a table without the table:
// `postgres://user@host/database`, `sqlite:///path/to/file.db/`.
//
// Records: `access` is an `Access`, or null.
//
// `json` is a list of `TableEntry`, freed with `portbook_text_free`.
//
// Errors: `invalid` for another URL; `offline`, `auth`, `permission`, `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_inspect_database(const portbook_session *session,
                                                const char *url,
                                                const char *access,
                                                char **json,
                                                char **error);

// What a table looks like now; the inventory of the book learns it.
//
// Records: `place` is a `RecordPlace`.
//
// `json` is a `TableShape`, freed with `portbook_text_free`.
//
// Errors: as `portbook_session_inspect_database`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_inspect_table(const portbook_session *session,
                                             const char *place,
                                             char **json,
                                             char **error);

// Reads the metadata of every table of a database into the inventory of the book. A table that cannot be described fails
// alone. The URL is as for `portbook_session_inspect_database`.
//
// Records: `access` is an `Access`, or null.
//
// `json` is an `Introspection`, freed with `portbook_text_free`.
//
// Errors: as there.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_introspect_database(const portbook_session *session,
                                                   const char *url,
                                                   const char *access,
                                                   char **json,
                                                   char **error);

// What has changed about a table since its last snapshot, and what that is to each definition that goes by it. Nothing
// is written: it is told until a run has gone over it, or the table is accepted.
//
// Records: `place` is a `RecordPlace`.
//
// `json` is a list of `TableDrift`, freed with `portbook_text_free`.
//
// Errors: as `portbook_session_inspect_database`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_table_drift(const portbook_session *session,
                                           const char *place,
                                           char **json,
                                           char **error);

// Accepts a table as it is: what it was before stands in no definition's way any more. A key that has become another
// one makes every row another one; a mapping over a column that is gone is refused in any case.
//
// Records: `place` is a `RecordPlace`.
//
// Errors: `not_found` when the book does not know the table; as `portbook_session_inspect_database`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_accept_table(const portbook_session *session,
                                            const char *place,
                                            char **error);

// How many resource units an application of SharePoint may spend; unless told otherwise, those of the smallest tenants.
//
// Records: `account` is a `UnitAccount`.
//
// `json` is a `UnitBudget`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_sharepoint_budget(const portbook_session *session,
                                                 const char *account,
                                                 char **json,
                                                 char **error);

// Sets how many resource units an application of SharePoint may spend, for all processes that use this book.
//
// Records: `account` is a `UnitAccount`, `budget` is a `UnitBudget`.
//
// Errors: `invalid` for a budget of nothing; `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_set_sharepoint_budget(const portbook_session *session,
                                                     const char *account,
                                                     const char *budget,
                                                     char **error);

// Brings tables that only the host knows, under a key that is the same every time; a place of the type `host` names
// them by it. Answer its requests on a thread of their own, until it is shut down.
//
// Records: `options` is a `HostRecordOptions`, or null.
//
// `host_records` is freed with `portbook_host_records_free`.
//
// Errors: `conflict` while there is such a store of this key; `invalid` when an option cannot be used.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_session_host_records(const portbook_session *session,
                                            const char *key,
                                            const char *options,
                                            portbook_host_records **host_records,
                                            char **error);

// Its id in the book (`sync_definitions`).
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_definition_id(const portbook_definition *definition,
                                     char **text,
                                     char **error);

// Compares both tables with the ledger and stores what would change. Writes nothing to either.
//
// Records: `options` is a `RowPreviewOptions`, or null.
//
// `json` is a `RowPreview`, freed with `portbook_text_free`; the id in its summary names it from here on.
//
// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be read; `invalid`: the mapping does not fit the
// tables as they are now.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_preview(const portbook_definition *definition,
                                          const char *options,
                                          char **json,
                                          char **error);

// What a preview holds in sum, by its id.
//
// `json` is a `RowPreview`, freed with `portbook_text_free`.
//
// Errors: `not_found` when there is none of this definition, or it has expired.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_stored_preview(const portbook_definition *definition,
                                                 const char *preview,
                                                 char **json,
                                                 char **error);

// A page of the rows of a preview in the order in which they are applied. `kind` is a `ChangeKind` as text, or null for
// all; rows that are equal and only recorded are listed when `unchanged` is asked for. `after` is `next` of the page
// before, or null. 1,000 at most.
//
// `json` is a `PreviewedRowPage`, freed with `portbook_text_free`.
//
// Errors: `not_found`, `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_changes(const portbook_definition *definition,
                                          const char *preview,
                                          const char *kind,
                                          const char *after,
                                          uint32_t limit,
                                          char **json,
                                          char **error);

// Ticks changes of a preview in or out.
//
// Records: `changes` is a list of texts, the ids of changes.
//
// Errors: `not_found`; `busy` once it is being applied; `conflict` for a change that it does not have.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_tick(const portbook_definition *definition,
                                       const char *preview,
                                       const char *changes,
                                       bool ticked,
                                       char **error);

// Applies a preview as it stands, by its id, or goes on with one that was interrupted. What is wrong with it is the
// outcome of the run.
//
// Records: `options` is a `RowApplyOptions`, or null.
//
// `run` is freed with `portbook_run_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_definition_apply(const portbook_definition *definition,
                                        const char *preview,
                                        const char *options,
                                        portbook_run **run,
                                        char **error);

// Previews and applies.
//
// Records: `preview` is a `RowPreviewOptions`, or null, `options` is a `RowApplyOptions`, or null.
//
// `run` is freed with `portbook_run_free`.
//
// Errors: `invalid` when an option cannot be used.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_definition_sync(const portbook_definition *definition,
                                       const char *preview,
                                       const char *options,
                                       portbook_run **run,
                                       char **error);

// Compares both tables row by row, whatever the ledger says, and writes down what came of it (`sync_metrics`).
//
// `json` is a `RowVerifyReport`, freed with `portbook_text_free`.
//
// Errors: as `portbook_definition_preview`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_verify(const portbook_definition *definition,
                                         char **json,
                                         char **error);

// The lists that its rows may go to; none where the target is a table.
//
// `json` is a list of `RecordTarget`, freed with `portbook_text_free`.
//
// Errors: `not_found` when the definition is gone.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_targets(const portbook_definition *definition,
                                          char **json,
                                          char **error);

// What has changed about both tables since the last run, or since they were accepted as they are, and what that is to
// this definition; also what keeps it from running.
//
// `json` is a list of `Drift`, freed with `portbook_text_free`.
//
// Errors: `not_found`, `offline`, `auth`, `permission`: a table cannot be looked at.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_drift(const portbook_definition *definition,
                                        char **json,
                                        char **error);

// The rows that wait for a person. `after` is the id of the last one of the page before, or null. 1,000 at most.
//
// `json` is a list of `RowConflict`, freed with `portbook_text_free`.
//
// Errors: `invalid` when `after` is no id; `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_conflicts(const portbook_definition *definition,
                                            const char *after,
                                            uint32_t limit,
                                            char **json,
                                            char **error);

// A row that waits, with what both sides hold in its fields now.
//
// `json` is a `RowInspection`, freed with `portbook_text_free`.
//
// Errors: `not_found` when no row waits by this id; as `portbook_definition_preview`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_inspect_conflict(const portbook_definition *definition,
                                                   const char *id,
                                                   char **json,
                                                   char **error);

// Decides about a row that waits. `mark` is that of the conflict as it was looked at. The next preview shows what was
// decided, and applying it carries it out.
//
// Records: `choice` is a `RowChoice`.
//
// Errors: `not_found`; `stale` when it is not what was looked at any more; `invalid` for columns of a row that one side
// has deleted, or for one that does not go both ways.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_definition_resolve_conflict(const portbook_definition *definition,
                                                   const char *id,
                                                   const char *mark,
                                                   const char *choice,
                                                   char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_definition_free(portbook_definition *definition);

// Opens a saved volume by its name, or by its id.
//
// `volume` is freed with `portbook_volume_free`.
//
// Errors: `not_found`; `invalid` when it is not active or cannot be used as it stands; `permission`, `unsupported`;
// as the place.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_volume(const portbook_session *session,
                                      const char *name_or_id,
                                      portbook_volume **volume,
                                      char **error);

// As `portbook_session_volume`, on files that the host brings in the place of those that its row names.
//
// `volume` is freed with `portbook_volume_free`.
//
// Errors: as there.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_volume_on(const portbook_session *session,
                                         const char *name_or_id,
                                         const portbook_host_store *store,
                                         portbook_volume **volume,
                                         char **error);

// Saves a place behind a URL as a volume, with what lets one in there, sealed; its id.
//
// Records: `access` is a `Access`, or null.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `conflict` when the name is taken; `invalid`; `wrong_key` when the book was opened without its key and
// there is something to seal.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_save_volume(const portbook_session *session,
                                           const char *name,
                                           const char *url,
                                           const char *access,
                                           char **text,
                                           char **error);

// Saves a directory of this machine as a volume, and approves it; its id.
//
// `text` is freed with `portbook_text_free`.
//
// Errors: `not_found`; `conflict` when the name is taken.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_save_directory(const portbook_session *session,
                                              const char *name,
                                              const char *path,
                                              char **text,
                                              char **error);

// The saved volumes by their names, without what lets one in.
//
// `json` is a list of `SavedVolume`, freed with `portbook_text_free`.
//
// Errors: `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_volumes(const portbook_session *session, char **json, char **error);

// Sets how fast bytes may pass to and from a saved volume; null: as fast as they can.
//
// Errors: `not_found`, `stale`, `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_limit_volume(const portbook_session *session,
                                            const char *name,
                                            const char *bandwidth,
                                            char **error);

// Forgets a saved volume, with what lets one in. What is stored there stays.
//
// Errors: `not_found`; `conflict` while files or conduits of it are in the book.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_session_remove_volume(const portbook_session *session,
                                             const char *name,
                                             char **error);

// Its rules, as they were when it was opened.
//
// `json` is a `StorageVolume`, freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_volume_row(const portbook_volume *volume, char **json, char **error);

// Puts a file on the volume, where there is one in the place of that; a file that is overwritten keeps its id.
//
// Records: `file` is a `NewFile`.
//
// `json` is the `StoredFile`, freed with `portbook_text_free`.
//
// Errors: `quota`; `busy` while another puts a file there; `conflict` when something is there that is no file of the
// volume; `invalid`; as the place.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_put(const portbook_volume *volume,
                                  const char *file,
                                  const uint8_t *bytes,
                                  size_t length,
                                  char **json,
                                  char **error);

// As `portbook_volume_put`, with the content of a file of this machine.
//
// Records: `file` is a `NewFile`.
//
// `json` is the `StoredFile`, freed with `portbook_text_free`.
//
// Errors: as there; `stale` when it has another size meanwhile; `not_found`, `permission` when it cannot be read.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_put_from(const portbook_volume *volume,
                                       const char *file,
                                       const char *path,
                                       char **json,
                                       char **error);

// Opens a file at `offset`, for `length` bytes; to its end when `length` is negative.
//
// Records: `file` is a `FileAt`.
//
// `reader` is freed with `portbook_file_reader_free`.
//
// Errors: `not_found`; `invalid` when it ends before `offset`; `stale` when what is there is not what was put; as
// the place.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_open_file(const portbook_volume *volume,
                                        const char *file,
                                        int64_t offset,
                                        int64_t length,
                                        portbook_file_reader **reader,
                                        char **error);

// What the book knows of a file.
//
// Records: `file` is a `FileAt`.
//
// `json` is the `StoredFile`, freed with `portbook_text_free`.
//
// Errors: `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_stat(const portbook_volume *volume,
                                   const char *file,
                                   char **json,
                                   char **error);

// A page of the files that are not deleted, versions left out, in the order of their paths.
//
// Records: `filter` is a `FileFilter`, or null.
//
// `json` is a `FilePage`, freed with `portbook_text_free`.
//
// Errors: `invalid` when no path can begin like that.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_list(const portbook_volume *volume,
                                   const char *filter,
                                   const char *after,
                                   uint32_t limit,
                                   char **json,
                                   char **error);

// A page of the deleted files, which can be restored or purged.
//
// `json` is a `FilePage`, freed with `portbook_text_free`.
//
// Errors: `invalid` when `after` is of another list.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_list_deleted(const portbook_volume *volume,
                                           const char *after,
                                           uint32_t limit,
                                           char **json,
                                           char **error);

// Deletes a file: it is out of sight, and can be restored. Its versions stay.
//
// Records: `file` is a `FileAt`.
//
// `json` is the `StoredFile`, freed with `portbook_text_free`.
//
// Errors: `not_found`, `busy`; `invalid` for a version, which can only be purged.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_delete(const portbook_volume *volume,
                                     const char *file,
                                     char **json,
                                     char **error);

// Brings a deleted file back to its path.
//
// `json` is the `StoredFile`, freed with `portbook_text_free`.
//
// Errors: `not_found`; `conflict` when another file is at its path by now; `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_restore(const portbook_volume *volume,
                                      const char *id,
                                      char **json,
                                      char **error);

// The versions of a file that are kept, the latest first; 1,000 at most.
//
// `json` is a list of `StoredFile`, freed with `portbook_text_free`.
//
// Errors: `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_versions(const portbook_volume *volume,
                                       const char *id,
                                       char **json,
                                       char **error);

// Puts the content of a version in the place of the file it was of. The version stays.
//
// `json` is the `StoredFile`, freed with `portbook_text_free`.
//
// Errors: `not_found`; as `portbook_volume_put`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_restore_version(const portbook_volume *volume,
                                              const char *version,
                                              char **json,
                                              char **error);

// Removes a version, or a deleted file with its versions, for good, and gives the room back.
//
// Errors: `not_found`; `conflict` for a file that is not deleted; `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_purge(const portbook_volume *volume, const char *id, char **error);

// Makes a link by which anybody can read the file for so long: one second to seven days.
//
// Records: `file` is a `FileAt`.
//
// `json` is a `FileLink`, which holds a secret, freed with `portbook_text_free`.
//
// Errors: `not_found`; `unsupported` when the place makes no links; `invalid` for another time.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_share(const portbook_volume *volume,
                                    const char *file,
                                    int64_t valid_ms,
                                    char **json,
                                    char **error);

// The links to a file, in the order in which they were made; 1,000 at most.
//
// Records: `file` is a `FileAt`.
//
// `json` is a list of `SharedLink`, freed with `portbook_text_free`.
//
// Errors: `not_found`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_shared_links(const portbook_volume *volume,
                                           const char *file,
                                           char **json,
                                           char **error);

// Marks a link as one that shall not be used any more. The link itself opens the file until it expires.
//
// `json` is the `SharedLink`, freed with `portbook_text_free`.
//
// Errors: `not_found`, `stale`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_revoke_link(const portbook_volume *volume,
                                          const char *link,
                                          char **json,
                                          char **error);

// Removes at the place what no row knows any more.
//
// Errors: as the place.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_tidy(const portbook_volume *volume, char **error);

// Counts anew what the volume, its users and its apps hold, from the files.
//
// `json` is a `Usage`, freed with `portbook_text_free`.
//
// Errors: `not_found` when the volume is gone; `storage`, `busy`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_volume_recompute_quotas(const portbook_volume *volume,
                                               char **json,
                                               char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_volume_free(portbook_volume *volume);

// The next piece of an open file; `PORTBOOK_END` after the last.
//
// `bytes` are freed with `portbook_bytes_free`.
//
// Errors: `stale` when the file is not what was put any more; as the place.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_file_reader_next_piece(const portbook_file_reader *file_reader,
                                              uint8_t **bytes,
                                              size_t *length,
                                              char **error);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_file_reader_free(portbook_file_reader *file_reader);

// The key of a book's secrets in the host's keeping, to be given to a book before it is opened. Answer its requests
// on a thread of their own. A request waits so long for its answer; a minute when `timeout_ms` is negative.
//
// `keys` is freed with `portbook_host_keys_free`.
//
// Errors: `invalid`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_keys_new(int64_t timeout_ms,
                                     portbook_host_keys **keys,
                                     char **error);

// The next request; `PORTBOOK_END` after `portbook_host_keys_shutdown`.
//
// `json` is a `KeyRequest`, freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_host_keys_next_request(const portbook_host_keys *host_keys,
                                              char **json,
                                              char **error);

// The bytes that a request is about; a secret where its action is `wrap`.
//
// `bytes` are freed with `portbook_bytes_free`.
//
// Errors: `not_found` when nobody waits for its answer.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_keys_bytes(const portbook_host_keys *host_keys,
                                       int64_t id,
                                       uint8_t **bytes,
                                       size_t *length,
                                       char **error);

// Answers with the bytes wrapped or unwrapped. `key_id` names the key that wrapped them; empty for `unwrap`.
//
// Errors: `not_found` when nobody waits for it.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_keys_reply(const portbook_host_keys *host_keys,
                                       int64_t id,
                                       const char *key_id,
                                       const uint8_t *bytes,
                                       size_t length,
                                       char **error);

// Answers that it failed, in the host's words; `code` is 0 for `PORTBOOK_HOST`.
//
// Errors: `not_found` when nobody waits for it.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_keys_fail(const portbook_host_keys *host_keys,
                                      int64_t id,
                                      const char *reason,
                                      int32_t code,
                                      char **error);

// Ends it: nobody is asked any more. A handle that is none is left alone. Returns at once; any thread. Since ABI 0.
void portbook_host_keys_shutdown(const portbook_host_keys *host_keys);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_host_keys_free(portbook_host_keys *host_keys);

// The next request for the host's files; `PORTBOOK_END` after `portbook_host_store_shutdown`, and after its book was
// shut down.
//
// `json` is a `HostRequest`, freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_host_store_next_request(const portbook_host_store *host_store,
                                               char **json,
                                               char **error);

// The bytes of a `write_at`.
//
// `bytes` are freed with `portbook_bytes_free`.
//
// Errors: `not_found` when nobody waits for its answer.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_store_bytes(const portbook_host_store *host_store,
                                        int64_t id,
                                        uint8_t **bytes,
                                        size_t *length,
                                        char **error);

// Answers a request.
//
// Records: `answer` is a `HostAnswer`.
//
// Errors: `not_found` when nobody waits for it: it was answered before, or too late.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_store_reply(const portbook_host_store *host_store,
                                        int64_t id,
                                        const char *answer,
                                        char **error);

// Answers a `read_at`.
//
// Errors: as `portbook_host_store_reply`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_store_reply_bytes(const portbook_host_store *host_store,
                                              int64_t id,
                                              const uint8_t *bytes,
                                              size_t length,
                                              char **error);

// Answers that it failed, in the host's words; `code` is 0 for `PORTBOOK_HOST`.
//
// Errors: as `portbook_host_store_reply`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_store_fail(const portbook_host_store *host_store,
                                       int64_t id,
                                       const char *reason,
                                       int32_t code,
                                       char **error);

// Ends it: nobody is asked any more, and who waits for an answer gets `host`. A handle that is none is left alone.
// Returns at once; any thread. Since ABI 0.
void portbook_host_store_shutdown(const portbook_host_store *host_store);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_host_store_free(portbook_host_store *host_store);

// The next request for the host's tables; `PORTBOOK_END` after `portbook_host_records_shutdown`, and after its book was
// shut down.
//
// `json` is a `RecordRequest`, freed with `portbook_text_free`.
//
// Errors: `invalid`.
//
// Blocks; any thread. Since ABI 0.
portbook_code portbook_host_records_next_request(const portbook_host_records *host_records,
                                                 char **json,
                                                 char **error);

// Answers a request.
//
// Records: `answer` is a `RecordAnswer`.
//
// Errors: `not_found` when nobody waits for it: it was answered before, or too late.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_records_reply(const portbook_host_records *host_records,
                                          int64_t id,
                                          const char *answer,
                                          char **error);

// Answers that it failed, in the host's words; `code` is 0 for `PORTBOOK_HOST`.
//
// Errors: as `portbook_host_records_reply`.
//
// Returns at once; any thread. Since ABI 0.
portbook_code portbook_host_records_fail(const portbook_host_records *host_records,
                                         int64_t id,
                                         const char *reason,
                                         int32_t code,
                                         char **error);

// Ends it: nobody is asked any more, and who waits for an answer gets `host`. A handle that is none is left alone.
// Returns at once; any thread. Since ABI 0.
void portbook_host_records_shutdown(const portbook_host_records *host_records);

// Frees the handle; what it stands for goes on where that is said. Null, and one that was freed already, is left
// alone. A call that uses the handle at this moment ends as it would have. Any thread. Since ABI 0.
void portbook_host_records_free(portbook_host_records *host_records);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PORTBOOK_H */
