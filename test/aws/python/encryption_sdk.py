"""Encrypts and decrypts with the AWS Encryption SDK for Python, configured by environment variables alone.

Standard input: {"encrypt": {NAME: KEY ARN or ALIAS ARN}, "decrypt": {NAME: {"message": BASE64, "key": ARN}}}.
Standard output: {"encrypted": {NAME: BASE64}, "decrypted": {NAME: {"text": TEXT, "context": {…}}}}.
"""

import base64
import json
import sys

import aws_encryption_sdk
from aws_encryption_sdk.identifiers import CommitmentPolicy

client = aws_encryption_sdk.EncryptionSDKClient(
    commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
CONTEXT = {"tenant": "a", "language": "python"}


def provider_for(key):
    """A ciphertext names its key by the key's ARN, so with an alias the SDK must be told to discover it."""
    if ":alias/" in key:
        return aws_encryption_sdk.DiscoveryAwsKmsMasterKeyProvider()
    return aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key])


def encrypt(key):
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key])
    message, _ = client.encrypt(source=b"attack at dawn", key_provider=provider, encryption_context=CONTEXT)
    return base64.b64encode(message).decode()


def decrypt(message, key):
    text, header = client.decrypt(source=base64.b64decode(message), key_provider=provider_for(key))
    return {"text": text.decode(), "context": dict(header.encryption_context)}


task = json.load(sys.stdin)
print(json.dumps({
    "encrypted": {name: encrypt(key) for name, key in task["encrypt"].items()},
    "decrypted": {name: decrypt(**one) for name, one in task["decrypt"].items()},
}))
