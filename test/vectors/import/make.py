"""Makes import-wrapping-v1.json with an implementation that shares nothing with claviger's.

RSA-OAEP and RSA keys are random, so each run makes other bytes that mean the
same; the file is made once and checked in. Run where `cryptography` is:

    python3 test/vectors/import/make.py
"""

import json
import os
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

ABOUT = (
    "Key material wrapped for import by Python's cryptography, opened with privateKey (PKCS #8, DER). "
    "outcome ok: it holds material. outcome InvalidCiphertext: the one failure, whatever is wrong. "
    "None of these was ever a key of anything."
)
HASHES = {"SHA_1": hashes.SHA1, "SHA_256": hashes.SHA256}
ALGORITHMS = [f"{way}_{name}" for way in ("RSAES_OAEP", "RSA_AES_KEY_WRAP") for name in HASHES]


def oaep(public_key, algorithm, plaintext):
    name = "SHA_256" if algorithm.endswith("SHA_256") else "SHA_1"
    scheme = padding.OAEP(padding.MGF1(HASHES[name]()), HASHES[name](), None)
    return public_key.encrypt(plaintext, scheme)


def wrap(public_key, algorithm, material, aes_bytes=32):
    if algorithm.startswith("RSAES_OAEP"):
        return oaep(public_key, algorithm, material)
    aes_key = os.urandom(aes_bytes)
    return oaep(public_key, algorithm, aes_key) + aes_key_wrap_with_padding(aes_key, material)


def flipped(wrapped, at):
    copy = bytearray(wrapped)
    copy[at] ^= 1
    return bytes(copy)


def vectors():
    keys = {spec: rsa.generate_private_key(65537, bits) for spec, bits in (("RSA_3072", 3072), ("RSA_4096", 4096))}
    private = {
        spec: key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).hex()
        for spec, key in keys.items()
    }

    def vector(name, spec, algorithm, size, wrapped, material=None):
        outcome = {"outcome": "ok", "material": material.hex()} if material else {"outcome": "InvalidCiphertext"}
        given = {"wrappingKeySpec": spec, "algorithm": algorithm, "bytes": size, "wrapped": wrapped.hex()}
        return {"name": name, **given, **outcome}

    made = []
    for spec, key in keys.items():
        for algorithm in ALGORITHMS:
            for size in (28, 32, 48, 64):
                material = os.urandom(size)
                wrapped = wrap(key.public_key(), algorithm, material)
                made.append(vector(f"{size} bytes by {algorithm} under {spec} open", spec, algorithm, size, wrapped, material))
    spec, public = "RSA_3072", keys["RSA_3072"].public_key()
    material = os.urandom(32)
    for algorithm in ALGORITHMS:
        wrapped = wrap(public, algorithm, material)
        broken = {
            "nothing at all": b"",
            "a changed first byte": flipped(wrapped, 0),
            "a changed byte of the RSA part": flipped(wrapped, 200),
            "a changed last byte": flipped(wrapped, -1),
            "a missing last byte": wrapped[:-1],
            "a byte too many": wrapped + b"\0",
            "a missing first byte": wrapped[1:],
            "random bytes of the right length": b"\0" + os.urandom(len(wrapped) - 1),
            "material of 31 bytes": wrap(public, algorithm, os.urandom(31)),
            "material of 33 bytes": wrap(public, algorithm, os.urandom(33)),
            "another wrapping key": wrap(rsa.generate_private_key(65537, 3072).public_key(), algorithm, material),
        }
        for what, bytes_ in broken.items():
            made.append(vector(f"{what}, as {algorithm}, is refused", spec, algorithm, 32, bytes_))
        for other in ALGORITHMS:
            if other != algorithm:
                made.append(vector(f"what {algorithm} wrapped, as {other}, is refused", spec, other, 32, wrapped))
    for algorithm in ALGORITHMS[2:]:
        short = wrap(public, algorithm, material, aes_bytes=16)
        made.append(vector(f"an AES key of 16 bytes, as {algorithm}, is refused", spec, algorithm, 32, short))
        kwp_flipped = flipped(wrap(public, algorithm, material), 390)
        made.append(vector(f"a changed byte of the AES part, as {algorithm}, is refused", spec, algorithm, 32, kwp_flipped))
    return {"about": ABOUT, "privateKeys": private, "vectors": made}


if __name__ == "__main__":
    file = pathlib.Path(__file__).parent / "import-wrapping-v1.json"
    file.write_text(json.dumps(vectors(), indent=2) + "\n", "ascii")
