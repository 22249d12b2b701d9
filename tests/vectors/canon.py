#!/usr/bin/env python3
"""Prints canon.json: vectors of the canonical encoding of values and of the hashes of rows.

An implementation beside the one in core/src/identity, from the text of canon.rs, row.rs and json.rs, with nothing but the
standard library. A value is written as {kind: what it says}, nothing as null; see `tagged`.
"""

import datetime
import decimal
import hashlib
import json
import struct
import unicodedata
import uuid

UNREAL = ["endless date", "beginningless date", "endless time", "beginningless time", "zero date", "zero time"]
EPOCH = datetime.date(1970, 1, 1)


def integer(value: int) -> bytes:
    length = 1
    while not -(1 << (8 * length - 1)) <= value < 1 << (8 * length - 1):
        length += 1
    return value.to_bytes(length, "big", signed=True)


def number(text: str) -> bytes:
    sign, digits, exponent = decimal.Decimal(text).as_tuple()
    digits = "".join(map(str, digits)).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return struct.pack(">Bi", 0, 0) + b"0"
    return struct.pack(">Bi", sign, exponent + len(digits) - len(kept)) + kept.encode()


def binary64(text: str) -> bytes:
    value = float(text)
    return bytes.fromhex("7ff8000000000000") if value != value else struct.pack(">d", value + 0.0)


def tick(text: str) -> bytes:
    """Of `date time[.fraction]`, the fraction of up to nine digits."""
    whole, _, fraction = text.partition(".")
    at = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc)
    since = at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return struct.pack(">qI", since.days * 86400 + since.seconds, int(fraction.ljust(9, "0")[:9]))


def day(value) -> bytes:
    days = value if isinstance(value, int) else (datetime.date.fromisoformat(value) - EPOCH).days
    return struct.pack(">i", days)


def interval(parts) -> bytes:
    months, days, nanos = map(int, parts)
    return struct.pack(">ii", months, days) + nanos.to_bytes(16, "big", signed=True)


def joined(members) -> bytes:
    return struct.pack(">I", len(members)) + b"".join(members)


TAGS = {
    "boolean": (1, lambda value: bytes([value])),
    "integer": (2, lambda text: integer(int(text))),
    "decimal": (3, number),
    "float": (4, binary64),
    "text": (5, lambda text: text.encode()),
    "bytes": (6, bytes.fromhex),
    "uuid": (7, lambda text: uuid.UUID(text).bytes),
    "date": (8, day),
    "time": (9, lambda text: struct.pack(">Q", int(text))),
    "timestamp": (10, tick),
    "instant": (11, tick),
    "unreal": (12, lambda name: bytes([UNREAL.index(name)])),
    "interval": (13, interval),
    "json": (14, lambda text: document(text).encode()),
    "list": (15, lambda values: joined([tagged(value) for value in values])),
    "set": (16, lambda values: joined(sorted({tagged(value) for value in values}))),
}


def tagged(value) -> bytes:
    if value is None:
        return b"\0"
    [(kind, said)] = value.items()
    tag, encoded = TAGS[kind][0], TAGS[kind][1](said)
    return bytes([tag]) + struct.pack(">I", len(encoded)) + encoded


class Number:
    """A number of a document, as it is written."""

    def __init__(self, text: str):
        self.text = text


def laid_out(text: str) -> str:
    """Number::toString of ECMA-262, of decimal digits instead of a double."""
    sign, digits, exponent = decimal.Decimal(text).as_tuple()
    digits = "".join(map(str, digits)).lstrip("0")
    exponent += len(digits) - len(digits.rstrip("0"))
    digits = digits.rstrip("0")
    if not digits:
        return "0"
    k, n = len(digits), len(digits) + exponent
    if k <= n <= 21:
        said = digits + "0" * (n - k)
    elif 0 < n <= 21:
        said = digits[:n] + "." + digits[n:]
    elif -6 < n <= 0:
        said = "0." + "0" * -n + digits
    else:
        said = digits[0] + ("." + digits[1:] if k > 1 else "") + "e" + ("+" if n > 0 else "-") + str(abs(n - 1))
    return "-" * sign + said


def document(text: str) -> str:
    def written(value) -> str:
        if isinstance(value, Number):
            return laid_out(value.text)
        if isinstance(value, list):
            return "[" + ",".join(map(written, value)) + "]"
        if isinstance(value, dict):
            names = sorted(value, key=lambda name: name.encode("utf-16-be"))
            return "{" + ",".join(json.dumps(name, ensure_ascii=False) + ":" + written(value[name]) for name in names) + "}"
        # The escapes of Python's module are those of the RFC, but that DEL is not escaped by either.
        return json.dumps(value, ensure_ascii=False)

    return written(json.loads(text, parse_int=Number, parse_float=Number))


def header(domain: bytes, rest: bytes) -> bytes:
    said = domain + b"\x01" + rest
    return said + bytes(-len(said) % 64)


def identity(tenant: uuid.UUID, definition: uuid.UUID, key) -> str:
    said = header(b"portbook/row/id\0", tenant.bytes + definition.bytes + struct.pack(">I", len(key)))
    return hashlib.sha256(said + b"".join(map(tagged, key))).hexdigest()


def content(fields: dict) -> str:
    names = sorted(name.encode() for name in fields)
    said = struct.pack(">I", len(names)) + b"".join(struct.pack(">I", len(name)) + name for name in names)
    values = b"".join(tagged(fields[name.decode()]) for name in names)
    return hashlib.sha256(header(b"portbook/row/ct\0", said) + values).hexdigest()


# The appendix of RFC 8785, to know that what is written out above is right.
assert laid_out("5e-324") == "5e-324" and laid_out("1.0000000000000001e23") == "1.0000000000000001e+23"
assert laid_out("0.000001") == "0.000001" and laid_out("1e-7") == "1e-7" and laid_out("295147905179352830000") == "295147905179352830000"

VALUES = {
    "nothing": None,
    "false": {"boolean": False},
    "true": {"boolean": True},
    **{f"integer {value}": {"integer": str(value)} for value in [
        0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, -32769, 2**31, -(2**31), 2**53 + 1,
        2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 - 1, 10**37, 2**127 - 1, -(2**127),
    ]},
    **{f"decimal {text}": {"decimal": text} for text in [
        "0", "-0.00", "1.0", "1.00", "1", "100", "1e2", "0.1", "-12.3400", "9007199254740993.5",
        "12345678901234567890123456789012345678", "-0.00000000000000000000000000000000000001", "1e100",
    ]},
    **{f"float {text}": {"float": text} for text in [
        "0", "-0", "1", "0.1", "-1.5", "5e-324", "1.7976931348623157e308", "nan", "inf", "-inf",
    ]},
    "empty text": {"text": ""},
    "a text": {"text": "Hafen"},
    "a word for nothing": {"text": "null"},
    "spaces at the end": {"text": "Hafen  "},
    "line ends": {"text": "a\r\nb\n"},
    "composed": {"text": unicodedata.normalize("NFC", "Ångström")},
    "decomposed": {"text": unicodedata.normalize("NFD", "Ångström")},
    "beyond the first plane": {"text": "\U0001f6a2"},
    "a character of zero": {"text": "a\0b"},
    "no bytes": {"bytes": ""},
    "bytes": {"bytes": "00ff7f80"},
    "the bytes of a text": {"bytes": "486166656e"},
    "a uuid": {"uuid": "00112233-4455-6677-8899-AABBCCDDEEFF"},
    "the first day": {"date": "1970-01-01"},
    "the day before": {"date": "1969-12-31"},
    "a leap day": {"date": "2024-02-29"},
    "the last day of PostgreSQL": {"date": 2145031948},
    "midnight": {"time": "0"},
    "the end of a day": {"time": "86400000000000"},
    "a timestamp": {"timestamp": "2026-11-22 10:11:12.123456"},
    "the same as an instant": {"instant": "2026-11-22 10:11:12.123456"},
    "the same with more places": {"instant": "2026-11-22 10:11:12.123456000"},
    "nanoseconds": {"instant": "1969-12-31 23:59:59.999999999"},
    "a time of the first century": {"timestamp": "0001-01-01 00:00:00"},
    **{name: {"unreal": name} for name in UNREAL},
    "no span": {"interval": ["0", "0", "0"]},
    "a span": {"interval": ["-14", "3", "-4000000005"]},
    "a document": {"json": '{"b": [1.0, 1e2, 0.10], "a": {"\\u00e9": null}, "\\ud83d\\ude00": 1, "\\ufb33": 2}'},
    "numbers beyond doubles": {"json": "[9007199254740993, 333333333.33333329, 1E400, -0.0, 1.2345678901234567890e-30]"},
    "escapes": {"json": '"\\u0041\\/\\b\\f\\n\\r\\t\\u001f\\u007f\\"\\\\"'},
    "a name twice": {"json": '{"a": 1, "b": 2, "a": 3}'},
    "an empty list": {"list": []},
    "an empty set": {"set": []},
    "a list": {"list": [{"text": "b"}, {"text": "a"}, None, {"text": "b"}]},
    "a set": {"set": [{"text": "b"}, {"text": "a"}, {"text": "b"}]},
    "a list of lists": {"list": [{"list": [{"integer": "1"}]}, {"list": []}]},
    "a set of sizes": {"set": [{"text": "aaa"}, {"text": "b"}, {"integer": "5"}, None]},
}

TENANT, DEFINITION = uuid.UUID(int=0x0198_0000_0000_7000_8000_0000_0000_0001), uuid.UUID(int=2)
KEYS = {
    "one number": (DEFINITION, [{"integer": "7"}]),
    "the same of another definition": (uuid.UUID(int=3), [{"integer": "7"}]),
    "a border": (DEFINITION, [{"text": "a|b"}, {"text": "c"}]),
    "another border": (DEFINITION, [{"text": "a"}, {"text": "b|c"}]),
    "of two blocks": (DEFINITION, [{"text": "x" * 51}, {"uuid": "00112233-4455-6677-8899-aabbccddeeff"}]),
    "no columns": (DEFINITION, []),
}
ROWS = {
    "no fields": {},
    "one field": {"name": {"text": "Hafen"}},
    "nothing in it": {"name": None},
    "one field more, with nothing": {"name": {"text": "Hafen"}, "port": None},
    "names out of order": {"b": {"integer": "2"}, "a": {"integer": "1"}, "B": {"integer": "3"}, "ä": {"integer": "4"}},
    "a name of a block": {"n" * 64: {"boolean": True}},
    "twelve": {f"c{at:02}": {"decimal": f"{at}.50"} for at in range(12)},
}

lines = []
for name, value in VALUES.items():
    lines.append({"of": "value", "name": name, "value": value, "hex": tagged(value).hex()})
for name, (definition, key) in KEYS.items():
    row = {"tenant": str(TENANT), "definition": str(definition), "key": key}
    lines.append({"of": "identity", "name": name, **row, "hash": identity(TENANT, definition, key)})
for name, fields in ROWS.items():
    lines.append({"of": "content", "name": name, "fields": fields, "hash": content(fields)})
print("[\n" + ",\n".join("  " + json.dumps(line) for line in lines) + "\n]")
