#!/usr/bin/env python3
"""Prints sealed.json: vectors of sealed values, wrapped keys and keys of passphrases.

An implementation beside the one in core/src/vault, from the text of core/src/vault/format.rs: OpenSSL's
ChaCha20-Poly1305 and Argon2id (package `cryptography`, 44 or newer), HChaCha20 written out below, and the reference
implementation of BLAKE3 (package `blake3`).
"""

import json
import struct
import uuid

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """The subkey of draft-irtf-cfrg-xchacha, section 2.2."""
    state = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", nonce))

    def quarter(a: int, b: int, c: int, d: int) -> None:
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            mixed = state[z] ^ state[x]
            state[z] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def xchacha(key: bytes, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
    cipher = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return cipher.encrypt(bytes(4) + nonce[16:], plain, associated)


# draft-irtf-cfrg-xchacha-03, sections 2.2.1 and A.3.1: what is written out above is right.
assert hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")).hex() == (
    "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
)
DRAFT = xchacha(
    bytes(range(0x80, 0xA0)),
    bytes(range(0x40, 0x58)),
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
)
assert DRAFT[-16:].hex() == "c0875924c1c7987947deafd8780acf49"


def fields(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(p)) + p for p in parts)


def some(seed: str, length: int) -> bytes:
    """Bytes that look random and are the same every time."""
    return blake3(seed.encode()).digest(length)


def sealed(name, generation, row, plain, table="s3_credentials", column="secret_key"):
    tenant = uuid.UUID(bytes=some("tenant", 16), version=4)
    key, nonce = some(f"data key {generation}", 32), some(f"nonce {name}", 24)
    key_of_row = b"i" + struct.pack(">q", row) if isinstance(row, int) else b"b" + row.bytes
    head = b"\x01" + struct.pack(">I", generation)
    associated = fields(
        b"portbook sealed value", head, tenant.bytes, table.encode(), key_of_row, column.encode()
    )
    return {
        "name": name,
        "key": key.hex(),
        "generation": generation,
        "nonce": nonce.hex(),
        "tenant": str(tenant),
        "table": table,
        "row": row if isinstance(row, int) else str(row),
        "column": column,
        "plain": plain.hex(),
        "sealed": (head + nonce + xchacha(key, nonce, plain, associated)).hex(),
    }


def context(key_id, tenant, generation):
    return fields(b"portbook wrapped key", key_id.bytes, tenant.bytes, struct.pack(">I", generation))


def wrapped(name, tenant, generation, host=None):
    key_id = uuid.UUID(bytes=some("key id", 16), version=4)
    by, nonce, key = some("key-encryption key", 32), some(f"nonce {name}", 24), some(f"data key {generation}", 32)
    about = context(key_id, tenant, generation)
    found = {"name": name, "key_id": str(key_id), "tenant": str(tenant), "generation": generation, "key": key.hex()}
    if host is None:
        stored = b"\x01" + nonce + xchacha(by, nonce, key, about)
        return found | {"by": by.hex(), "nonce": nonce.hex(), "wrapped": stored.hex()}
    host_key, given = host
    stored = b"\x02" + blake3(about, key=key).digest() + fields(host_key.encode()) + given
    return found | {"host_key": host_key, "given": given.hex(), "wrapped": stored.hex()}


def passphrase(text, memory_kib, passes, lanes):
    salt = some(f"salt {text}", 16)
    kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory_kib)
    cost = {"memory_kib": memory_kib, "passes": passes, "lanes": lanes}
    return {"passphrase": text, "salt": salt.hex(), **cost, "key": kdf.derive(text.encode()).hex()}


A_ROW = uuid.UUID(bytes=some("row", 16), version=4)
A_TENANT = uuid.UUID(bytes=some("tenant", 16), version=4)
HOST = ("arn:aws:kms:eu-central-1:1:key/ä", some("given by the host", 184))
groups = {
    "sealed": [
        sealed("a secret of a row with an id", 1, A_ROW, b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        sealed("a row with a number", 4294967295, -2, "pässwörd".encode(), "ftp_endpoints", "password"),
        sealed("nothing", 2, A_ROW, b""),
        sealed("a long token", 1, 1 << 40, some("token", 5000), "cloud_connections", "encrypted_access_token"),
    ],
    "wrapped": [
        wrapped("a data key", A_TENANT, 1),
        wrapped("a later data key", A_TENANT, 4294967295),
        wrapped("a check value", uuid.UUID(int=0), 0),
        wrapped("by the host", A_TENANT, 1, HOST),
        wrapped("by a host without names", uuid.UUID(int=0), 0, ("", b"")),
    ],
    "passphrases": [
        passphrase("correct horse battery staple", 19456, 2, 1),
        passphrase("pässwörd \U0001f6a2", 65536, 3, 4),
    ],
}
lines = []
for group, vectors in groups.items():
    rows = ",\n".join("    " + json.dumps(v, ensure_ascii=False) for v in vectors)
    lines.append(f'  "{group}": [\n{rows}\n  ]')
print("{\n" + ",\n".join(lines) + "\n}")
