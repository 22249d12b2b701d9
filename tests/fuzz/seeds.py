#!/usr/bin/env python3
"""Writes programs for border.c from words: seeds.py DIRECTORY. What AFL++ begins with.

A line of words is a step: the name of a call without `portbook_`, then its operands. `@type` is the last handle of a type, `@-N` the
one given out N handles ago, `null`; a text is a line of texts.txt or `=` for the last id, `:WORDS` as it is (`~` for a space); `#N` a number, `#=` that
of the last request; `%N` so many bytes. `beside` begins what another thread does, to the next empty line.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
CALLS = (HERE / "calls.txt").read_text().split()
TEXTS = (HERE / "texts.txt").read_text().split("\n")
LIST = next(text for text in TEXTS if text.startswith('{"type":"list",'))
CLOCKED = next(text for text in TEXTS if '"clock"' in text)

OPEN = """book_open {"path":"book.db"}
book_default_session @
"""
PLACES = """session_connect @ {"type":"directory","path":"source"} {"type":"directory","path":"target"} {}
"""
VOLUME = """session_save_directory @ store target
session_volume @ store
"""
SERVE = """beside
host_store_next_request @
host_store_reply @ #= {"type":"found","entry":{"name":"","kind":"dir"}}
host_store_next_request @
host_store_reply @ #= {"type":"listing","entries":[{"name":"x","kind":"file","bytes":1,"version":"1"},{"name":"d","kind":"dir"}]}
host_store_next_request @
host_store_reply @ #= {"type":"listing","entries":[]}
host_store_next_request @
host_store_fail @ #= ~it~broke #8
host_store_next_request @
host_store_reply_bytes @ #= %1

"""
HOST = """session_host_store @ shelf {"timeout_ms":20}
session_connect @ {"type":"directory","path":"source"} {"type":"host","key":"shelf"} null
"""

DESCRIBE = """host_records_next_request @
host_records_reply @ #= {"type":"described","table":{"columns":[{"name":"id","kind":"integer"},{"name":"name","kind":"text"}],"key":["id"]}}
"""
RECORDS = """session_host_records @ shop {"timeout_ms":100}
beside
""" + 6 * DESCRIBE + """host_records_next_request @
host_records_reply @ #= {"type":"rows","rows":[]}
host_records_next_request @
host_records_reply @ #= {"type":"rows","rows":[{"id":1,"name":"one"},{"id":2,"name":"two"}]}

session_connect_records @ {"type":"host","key":"shop","table":"orders"} {"type":"host","key":"shop","table":"copies"} null
"""
# Both sides have a row, and not the same.
DIFFERING = """session_host_records @ shop {"timeout_ms":100}
beside
""" + 6 * DESCRIBE + """host_records_next_request @
host_records_reply @ #= {"type":"rows","rows":[{"id":1,"name":"left"},{"id":2,"name":"two"}]}
host_records_next_request @
host_records_reply @ #= {"type":"rows","rows":[{"id":1,"name":"right"},{"id":2,"name":"two"}]}
""" + DESCRIBE + """
session_connect_records @ {"type":"host","key":"shop","table":"orders"} {"type":"host","key":"shop","table":"copies"} {"mode":"two_way","policy":"manual"}
"""

SEEDS = {
    "library": "codes\ntables\ncode_text #8\ncode_text #255\ncontent_hash %9\nshow_path %3\npath_bytes a/b.txt\nshow_address http://127.0.0.1:1/dav\n",
    "opening": 'book_open {}\nbook_open {"path":"book.db","memory_bytes":65536}\nbook_shutdown @\nbook_free @\nbook_free @-0\nbook_check @-0\n',
    "preview": OPEN + PLACES + """conduit_preview @ {"checksum":true,"lifetime_ms":60000}
preview_summary @
preview_changes @ {"kind":"new"} null #1
preview_changes @ null null #1000
preview_tick_all @ {} #0
preview_id @
conduit_apply @ = {}
run_next_event @
run_finish @
preview_discard @
""",
    "sync": OPEN + PLACES + "conduit_sync @ {} {}\nrun_next_event @\nrun_next_event @\nrun_pause @\nrun_resume @\nrun_finish @\nrun_finish @\nsession_history @ #1000\n"
    "session_activity @ {} null #1\nsession_progress @ {} null #1\nsession_errors @ {} null #1\nsession_previews @ {} null #1\nsession_watch_progress @ =\nprogress_watch_next_row @\n",
    "cancel": OPEN + PLACES + "conduit_sync @ null null\nbeside\nrun_cancel @\nrun_free @\n\nrun_next_event @\nrun_finish @\nconduit_sync @ null null\nrun_next_event @\n",
    "freed": OPEN + PLACES + "beside\nconduit_free @\nsession_free @\nbook_shutdown @\n\nconduit_sync @ null null\nsession_history @ #1\nconduit_id @-0\nconduit_options @\nbook_free @\n",
    "conduit": OPEN + PLACES + """conduit_id @
conduit_options @
conduit_set_selection_rules @ [{"pattern":"*.txt","is_included":true}]
conduit_selection_rules @
conduit_pin @ {"path":"dir","is_held":true}
conduit_pins @
conduit_unpin @ ../a
conduit_conflicts @ #0 #10
conduit_inspect_conflict @ #1
conduit_resolve_conflict @ #1 = {"type":"keep_source"}
session_conduit @ {"type":"directory","path":"source"} {"type":"directory","path":"target"}
session_conduit_of @ = {"type":"directory","path":"source"} {"type":"directory","path":"target"}
session_verify @ {"type":"directory","path":"source"} {"type":"directory","path":"target"} null
session_history_between @ {"type":"directory","path":"source"} {"type":"directory","path":"target"} #5
""",
    "host": OPEN + HOST + SERVE + "conduit_sync @ null null\nrun_next_event @\nrun_finish @\nhost_store_shutdown @\nhost_store_next_request @\n",
    "silent-host": OPEN + HOST + "conduit_sync @ null null\nhost_store_next_request @\nhost_store_bytes @ #=\nrun_cancel @\nrun_finish @\n",
    "volume": OPEN + VOLUME + """volume_put @ {"path":"a/b.txt"} %5
volume_put_from @ {"path":"a/b.txt","filename":"c","is_public":true,"metadata":{"k":[1]}} :source/a.txt
volume_row @
volume_list @ {} null #10
volume_stat @ {"path":"a/b.txt"}
volume_open_file @ {"path":"a/b.txt"} #1 #1
file_reader_next_piece @
file_reader_next_piece @
file_reader_free @
volume_versions @ =
volume_delete @ {"path":"a/b.txt"}
volume_list_deleted @ null #10
volume_restore @ =
volume_purge @ =
volume_share @ {"path":"a/b.txt"} #100
volume_shared_links @ {"path":"a/b.txt"}
volume_tidy @
volume_recompute_quotas @
session_volumes @
session_limit_volume @ store 1k
session_remove_volume @ store
""",
    "rows": OPEN + """session_create_row @ applications {"name":"app"}
session_get_row @ applications =
session_list_rows @ applications {"with_deleted":true} null #10
session_create_row @ local_paths {"path":"/x"}
session_list_rows @ local_paths {"equal":{"path":"/x"},"latest_first":true} null #1
session_update_row @ local_paths = 1970-01-01T00:00:00Z {"path":"/x"}
session_delete_row @ local_paths =
session_restore_row @ local_paths =
session_reveal @ users = password
session_save_volume @ name :sftp://u@127.0.0.1:1/ {}
""",
    "records": OPEN + RECORDS + """definition_preview @ {"full_scan":true,"look_at_target":true,"max_delete":"1%"}
definition_stored_preview @ =
definition_tick @ = [] #1
definition_apply @ = {"confirm":["max_delete"]}
run_finish @
definition_preview @ null
definition_changes @ = null null #10
definition_id @
session_definition @ =
session_records @ {"type":"host","key":"shop","table":"orders"} {"type":"host","key":"shop","table":"copies"}
host_records_fail @ #= ~it~broke #8
host_records_shutdown @
host_records_next_request @
""",
    "records-run": OPEN + RECORDS + "definition_sync @ {} {}\nrun_next_event @\nrun_cancel @\nrun_finish @\ndefinition_verify @\ndefinition_free @\nhost_records_free @\n",
    "decisions": OPEN + DIFFERING + """definition_sync @ {} {}
run_finish @
definition_targets @
definition_preview @ :{"route_to":"x"}
definition_conflicts @ null #10
definition_resolve_conflict @ = store {"type":"keep_destination"}
definition_conflicts @ null #10
definition_resolve_conflict @ = = {"type":"merge","target_columns":["name"]}
definition_inspect_conflict @ =
definition_drift @
session_table_drift @ {"type":"host","key":"shop","table":"orders"}
session_accept_table @ {"type":"host","key":"shop","table":"orders"}
session_connect_records @ {"type":"host","key":"shop","table":"orders"} {"type":"host","key":"shop","table":"copies"} """
    + CLOCKED + "\n",
    "lists": OPEN + "session_introspect_database @ sqlite:///x.db/ {}\n"
    + f"session_inspect_table @ {LIST}\nsession_accept_table @ {LIST}\n"
    + """session_sharepoint_budget @ {"tenant":"t","client_id":"c"}
session_set_sharepoint_budget @ {"tenant":"t","client_id":"c"} {"per_minute":1200,"per_day":1200000}
session_connect_records @ {"type":"table","url":"sqlite:///x.db/orders"} """
    + LIST + " null\n",
    "inspected": OPEN + """session_inspect_database @ sqlite:///x.db/ {}
session_inspect_table @ {"type":"table","url":"sqlite:///x.db/orders"}
session_connect_records @ {"type":"table","url":"sqlite:///x.db/orders"} {"type":"host","key":"shop","table":"copies"} {"key":["id"],"cursor":{"type":"log"}}
""",
    "tenants": "book_open {\"path\":\"book.db\"}\nbook_create_tenant @ name\nbook_create_user @ = {\"email\":\"a@example.com\"}\nbook_tenants @ null #10\nbook_rename_tenant @ = store\nbook_session @ = =\nbook_delete_tenant @ =\n",
    "keys": """host_keys_new #20
book_open_with_keys {"path":"book.db"} @
book_default_session @
beside
host_keys_next_request @
host_keys_bytes @ #=
host_keys_reply @ #= name %9

session_save_volume @ name :http://127.0.0.1:1/dav {}
session_renew_data_key @
book_rotate_to_host_keys @ @
book_rotate_key @ {"raw_hex":"0909090909090909090909090909090909090909090909090909090909090909"}
host_keys_fail @ #= :no #8
host_keys_shutdown @
""",
    "upkeep": OPEN + "book_maintain @\nsession_maintain @\nbook_check @\nbook_backup @ backup.db\nbook_vacuum @\nsession_tenant @\n",
    "copy": OPEN + "book_open {\"path\":\"book.db\"}\nbook_copy_into @ @\nbook_copy_progress @\nbook_copy_cancel @\nbook_copy_finish @\n",
}


def operand(word: str) -> bytes:
    if word == "null":
        return b"\xff"
    if word == "@":
        return b"\x80"
    if word.startswith("@-"):
        return bytes([int(word[2:])])
    if word == "=":
        return b"\x81"
    if word == "#=":
        return b"\x80"
    if word.startswith("#"):
        number = int(word[1:])
        return bytes([number if number < 0x80 else 0x81 if number > 255 else 0x88])
    if word.startswith("%"):
        return bytes([int(word[1:])]) + b"x" * int(word[1:])
    if word in TEXTS:
        return bytes([TEXTS.index(word)])
    said = word.lstrip(":").replace("~", " ").encode()
    return bytes([0x80, len(said)]) + said


def step(line: str) -> bytes:
    name, *words = line.split()
    return bytes([CALLS.index(f"portbook_{name}")]) + b"".join(map(operand, words))


def program(text: str) -> bytes:
    made, beside = b"", None
    for line in text.split("\n"):
        if line == "beside":
            beside = b""
        elif not line:
            made += b"" if beside is None else bytes([0xF0, len(beside)]) + beside
            beside = None
        elif beside is None:
            made += step(line)
        else:
            beside += step(line)
    return made


def main() -> None:
    into = Path(sys.argv[1])
    into.mkdir(parents=True, exist_ok=True)
    for name, text in SEEDS.items():
        (into / name).write_bytes(program(text))


if __name__ == "__main__":
    main()
