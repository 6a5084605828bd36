#!/usr/bin/env python3
"""Verifies signatures of digests with Python's cryptography. Reads a JSON list from the standard input."""

import json
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}

signatures = json.load(sys.stdin)
for one in signatures:
    key = load_der_public_key(bytes.fromhex(one["publicKey"]))
    signature, digest = bytes.fromhex(one["signature"]), bytes.fromhex(one["digest"])
    name = HASHES[one["algorithm"][-3:]]
    prehashed = utils.Prehashed(name)
    if one["algorithm"].startswith("ECDSA"):
        key.verify(signature, digest, ec.ECDSA(prehashed))
    elif one["algorithm"].startswith("RSASSA_PSS"):
        key.verify(signature, digest, padding.PSS(padding.MGF1(name), name.digest_size), prehashed)
    else:
        key.verify(signature, digest, padding.PKCS1v15(), prehashed)
print(f"{len(signatures)} signatures verified")
