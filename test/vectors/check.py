"""Checks claviger's published vectors with an implementation of its own.

Written from the layouts in the documentation, not from claviger's sources, so
that a mistake would have to be made twice. Prints "N vectors checked", or names
the first vector that differs and exits with 1.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAX_PLAINTEXT = 4096
MAX_CONTEXT = 8192
MAX_SEALED = 8192
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Refused(Exception):
    """Carries the outcome that a vector names."""


def uuid_bytes(text):
    if not UUID.fullmatch(text):
        raise Refused("InvalidArgument")
    return bytes.fromhex(text.replace("-", ""))


def canonical(context):
    try:
        pairs = sorted((name.encode("utf-8"), value.encode("utf-8")) for name, value in context.items())
    except UnicodeEncodeError:
        raise Refused("InvalidArgument") from None
    encoded = b"".join(len(part).to_bytes(4, "big") + part for pair in pairs for part in pair)
    if len(encoded) > MAX_CONTEXT:
        raise Refused("InvalidArgument")
    return encoded


def hkdf(material, salt, info, length):
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info.encode()).derive(material)


class Suite1:
    """One key for one message: AES-256-GCM under a zero nonce, and the commitment to the key."""

    NONCE = bytes(12)

    def __init__(self, material, salt, purpose):
        derived = hkdf(material, salt, "claviger/v1" + purpose, 64)
        self.gcm, self.commitment = AESGCM(derived[:32]), derived[32:]

    def seal(self, plaintext, aad):
        return self.gcm.encrypt(self.NONCE, plaintext, aad)

    def open(self, commitment, sealed, aad):
        if commitment != self.commitment:
            raise Refused("CommitmentMismatch")
        try:
            return self.gcm.decrypt(self.NONCE, sealed, aad)
        except InvalidTag:
            raise Refused("TagMismatch") from None


def encrypt_message(vector, salt, plaintext):
    suite = Suite1(bytes.fromhex(vector["material"]), salt, vector["purpose"])
    names = uuid_bytes(vector["keyId"]) + uuid_bytes(vector["versionId"])
    header = b"\x01\x01" + names + salt + suite.commitment
    return header + suite.seal(plaintext, header + canonical(vector["context"]))


def decrypt_message(vector, message):
    if len(message) < 98 + 16:
        raise Refused("Truncated")
    if len(message) > 98 + MAX_PLAINTEXT + 16:
        raise Refused("Oversized")
    if message[0] != 1:
        raise Refused("UnknownFormat")
    if message[1] != 1:
        raise Refused("UnknownSuite")
    if message[2:34] != uuid_bytes(vector["keyId"]) + uuid_bytes(vector["versionId"]):
        raise Refused("WrongKey")
    aad = message[:98] + canonical(vector["context"])
    suite = Suite1(bytes.fromhex(vector["material"]), message[34:66], vector["purpose"])
    return suite.open(message[66:98], message[98:], aad)


def check_message(vector):
    message = bytes.fromhex(vector["message"])
    plaintext = decrypt_message(vector, message)
    expect("plaintext", plaintext.hex(), vector["plaintext"])
    expect("message", encrypt_message(vector, bytes.fromhex(vector["salt"]), plaintext), message)


def root_key_id(root_key):
    return hkdf(root_key, b"", "claviger/v1/root-key-id", 16)


def binding_aad(binding):
    return canonical({name: str(value) for name, value in binding.items()})


def ownership_statement(vector):
    text = vector["text"]
    return canonical({
        "keyId": text["keyId"],
        "versionId": text["versionId"],
        "number": str(text["number"]),
        "keySpec": text["keySpec"],
        "keyUsage": text["keyUsage"],
        "origin": text["origin"],
        "ownerNamespace": text["masterKey"]["namespace"],
        "ownerName": text["masterKey"]["name"],
        "materialId": text.get("materialId", ""),
        "validTo": str(text["validTo"] // 1000) if "validTo" in text else "",
        "revision": str(vector["revision"]),
    })


def check_ownership(vector):
    root_key, proof = bytes.fromhex(vector["rootKey"]), bytes.fromhex(vector["proof"])
    expect("rootKeyId", root_key_id(root_key).hex(), vector["rootKeyId"])
    statement = ownership_statement(vector)
    if proof[:18] != b"\x01\x01" + root_key_id(root_key):
        raise Refused("NotProven")
    suite = Suite1(root_key, proof[18:50], "seal-file")
    try:
        opened = suite.open(proof[50:82], proof[82:], proof[:82] + statement)
    except Refused:
        raise Refused("NotProven") from None
    expect("digest", opened, hashlib.sha256(statement).digest())
    salt = bytes.fromhex(vector["salt"])
    suite = Suite1(root_key, salt, "seal-file")
    header = b"\x01\x01" + root_key_id(root_key) + salt + suite.commitment
    expect("proof", header + suite.seal(opened, header + statement), proof)


def unseal(vector, blob):
    root_key = bytes.fromhex(vector["rootKey"])
    if bytes.fromhex(vector["rootKeyId"]) != root_key_id(root_key):
        raise Refused("NotMine")
    if not 82 + 16 <= len(blob) <= MAX_SEALED or blob[:2] != b"\x01\x01" or blob[2:18] != root_key_id(root_key):
        raise Refused("SealMismatch")
    suite = Suite1(root_key, blob[18:50], "seal-file")
    try:
        return suite.open(blob[50:82], blob[82:], blob[:82] + binding_aad(vector["binding"]))
    except Refused:
        raise Refused("SealMismatch") from None


def seal(vector, salt, material):
    root_key = bytes.fromhex(vector["rootKey"])
    suite = Suite1(root_key, salt, "seal-file")
    header = b"\x01\x01" + root_key_id(root_key) + salt + suite.commitment
    return header + suite.seal(material, header + binding_aad(vector["binding"]))


def check_seal_file(vector):
    blob = bytes.fromhex(vector["blob"])
    material = unseal(vector, blob)
    expect("material", material.hex(), vector["material"])
    expect("blob", seal(vector, bytes.fromhex(vector["salt"]), material), blob)


def check_key_id(vector):
    ids = uuid_bytes(vector["keyId"]) + uuid_bytes(vector["versionId"])
    digest = hashlib.sha256(b"claviger/v1/key_id" + ids).digest()
    expect("kmsKeyId", digest[:16].hex(), vector["kmsKeyId"])


def check_material_id(vector):
    material = bytes.fromhex(vector["material"])
    named = hkdf(material, uuid_bytes(vector["keyId"]), "claviger/v1/material-id", 32)
    expect("materialId", named.hex(), vector["materialId"])


def check_context(vector):
    expect("bytes", canonical(vector["context"]).hex(), vector["bytes"])


GRANT_OPERATIONS = (
    "Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo Sign Verify GetPublicKey "
    "CreateGrant RetireGrant DescribeKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateMac VerifyMac "
    "DeriveSharedSecret Encapsulate Decapsulate"
).split()


def check_grant_token(vector):
    root_key, grant = bytes.fromhex(vector["rootKey"]), vector["grant"]
    constraint = grant.get("constraint", {"context": {}})
    grantee, retiring = grant["granteePrincipal"].encode(), grant.get("retiringPrincipal", "").encode()
    body = b"".join([
        b"\x01\x01",
        root_key_id(root_key),
        uuid_bytes(grant["keyId"]),
        grant["issuedAt"].to_bytes(8, "big"),
        grant.get("expiresAt", 0).to_bytes(8, "big"),
        sum(1 << GRANT_OPERATIONS.index(operation) for operation in grant["operations"].split()).to_bytes(4, "big"),
        bytes([[None, "Equals", "Subset"].index(constraint.get("kind"))]),
        bytes.fromhex(grant["grantId"]),
        len(grantee).to_bytes(2, "big"),
        len(retiring).to_bytes(2, "big"),
        grantee,
        retiring,
        canonical(constraint["context"]),
    ])
    key = hkdf(root_key, b"", "claviger/v1/grant-token", 32)
    token = base64.b64encode(body + hmac.digest(key, body, "sha256")).decode()
    if token != vector["token"]:
        raise Refused("Refused")


def expect(what, got, wanted):
    if got != wanted:
        raise Refused(f"another {what}")


def outcome(check, vector):
    try:
        check(vector)
    except Refused as refusal:
        return str(refusal)
    except KeyError as missing:
        return f"ok, and the vector has no {missing}"
    return "ok"


CHECKS = {
    "message-v1.json": check_message,
    "seal-file-v1.json": check_seal_file,
    "key-id-v1.json": check_key_id,
    "material-id-v1.json": check_material_id,
    "ownership-v1.json": check_ownership,
    "grant-token-v1.json": check_grant_token,
    "context-v1.json": check_context,
}


def main(folder):
    checked = 0
    for file, check in CHECKS.items():
        for vector in json.loads((folder / file).read_text("ascii"))["vectors"]:
            reached = outcome(check, vector)
            if reached != vector["outcome"]:
                sys.exit(f"{file}: {vector['name']}: expected {vector['outcome']}, got {reached}")
            checked += 1
    print(f"{checked} vectors checked")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
