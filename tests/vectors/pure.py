#!/usr/bin/env python3
"""Prints pure.json: what the pure calls of the border answer, for every language. One vector a line, so that C needs no parser.

An implementation beside the ones in core/src: hashes by the reference implementation of BLAKE3 (package `blake3`) over the input of
its published vectors (byte n is n % 251); paths by Python's own decoder, from the text of core/src/model/path.rs; addresses written
out by hand after RFC 3986, section 6.2.2 and 6.2.3, and the comments of core/src/provider/address.rs.
"""

import json
import unicodedata

from blake3 import blake3

# The lengths of the published vectors: around blocks (64) and chunks (1024), and trees of chunks.
LENGTHS = [0, 1, 2, 3, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2048, 2049, 3072, 5121, 8192, 16384, 31744, 102400]

# BLAKE3's own test_vectors.json, of 0 and 1 bytes: the package is what it says.
assert blake3(b"").hexdigest() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
assert blake3(b"\0").hexdigest() == "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"

PATHS = {
    "the root": b"",
    "plain": b"photos/2024/a b.jpg",
    "not UTF-8": b"a\xffb/\xc3",
    "a surrogate": b"\xed\xa0\x80",
    "overlong": b"\xc0\xaf",
    "cut short": b"\xe6\x97/\xf0\x9f\x98",
    "a backslash": b"\\x41/\\",
    "controls": b"\n\r\t\x01\x1b\x7f\xc2\x85",
    "not ASCII": "日本/é/e\u0301/😀".encode(),
    "dots": b".../..a/a..",
    "reserved elsewhere": b"CON/a:b/c?*",
}
NO_PATHS = {"above": b"..", "within": b"a/../b", "here": b".", "absolute": b"/a", "an empty part": b"a//b", "a slash at the end": b"a/", "a NUL": b"a\0b"}
NOT_SHOWN = {
    "a backslash at the end": "a\\", "no escape": "\\q", "half a byte": "\\x4", "a sign": "\\x+4", "no character": "\\u{110000}",
    "a surrogate": "\\u{d800}", "open": "\\u{4", "a sign in braces": "\\u{+41}", "above": "..", "an empty part": "a//b", "a NUL": "\\x00",
}  # fmt: skip
ADDRESSES = {
    "S3://bucket": "s3://bucket",
    "s3://bucket//a b/%41//": "s3://bucket/a b/%41",
    "sftp://me@HOST:22/a/b/": "sftp://me@host/a/b",
    "sftp://host": "sftp://host/",
    "sftp://host/~/docs": "sftp://host/~/docs",
    "sftp://a%40b@host/x%20y%25": "sftp://a%40b@host/x%20y%25",
    "sftp://[::1]:2222/a": "sftp://[::1]:2222/a",
    "ftp://host:21/a": "ftp://host/a",
    "ftps://host:990/a": "ftps://host/a",
    "ftps://host:21/a": "ftps://host:21/a",
    "davs://me@host:443/a%2fb": "davs://me@host/a%2fb",
    "HTTPS://Host/a?b=c": "https://host/a?b=c",
}
NO_ADDRESSES = [
    "", "a/b", "s3:bucket", "gopher://host", "s3://", "sftp://", "ftp://host:99999/", "sftp://host/a/../b", "http://a\\b/",
    "sftp://me:hunter2@host/x", "https://host/#top",
]  # fmt: skip


def shown(path: bytes) -> str:
    """Every byte that is not UTF-8 is a lone surrogate to Python, so that it is seen which."""
    out = []
    for c in path.decode("utf-8", "surrogateescape"):
        if 0xDC80 <= ord(c) <= 0xDCFF:
            out.append(f"\\x{ord(c) - 0xDC00:02x}")
        elif unicodedata.category(c) == "Cc":
            out.append({"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(c) or f"\\u{{{ord(c):x}}}")
        else:
            out.append("\\\\" if c == "\\" else c)
    return "".join(out) or "."


def main() -> None:
    vectors = [
        {"of": "content", "length": length, "hash": blake3(bytes(n % 251 for n in range(length))).hexdigest()} for length in LENGTHS
    ]
    vectors += [{"of": "path", "name": name, "hex": path.hex(), "shown": shown(path)} for name, path in PATHS.items()]
    vectors += [{"of": "no path", "name": name, "hex": path.hex()} for name, path in NO_PATHS.items()]
    vectors += [{"of": "not shown", "name": name, "shown": text} for name, text in NOT_SHOWN.items()]
    vectors += [{"of": "address", "written": written, "shown": text} for written, text in ADDRESSES.items()]
    vectors += [{"of": "no address", "written": text} for text in NO_ADDRESSES]
    print("[")
    print(",\n".join("  " + json.dumps(vector, ensure_ascii=False) for vector in vectors))
    print("]")


if __name__ == "__main__":
    main()
