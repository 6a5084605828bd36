"""Calls the operations of AWS KMS with boto3, configured by environment variables alone.

Standard input is a JSON list of the operations that are served. Each call is a line of JSON: the operation,
the case, the expected outcome and the outcome: "ok", or the name of an error.
"""

import json
import os
import sys
import time

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

SERVED = frozenset(json.load(sys.stdin))
kms = boto3.client("kms", config=Config(retries={"total_max_attempts": 1}))

NOT_FOUND, DISABLED, USAGE = "NotFoundException", "DisabledException", "InvalidKeyUsageException"
CIPHERTEXT, STATE = "InvalidCiphertextException", "KMSInvalidStateException"
VALIDATION, UNSUPPORTED = "ValidationException", "UnsupportedOperationException"
DRY_RUN, MARKER, ARN = "DryRunOperationException", "InvalidMarkerException", "InvalidArnException"


def call(operation, case, expected="ok", **arguments):
    """Makes a call, reports its outcome and returns the answer."""
    if operation not in SERVED:
        return {}
    answer, outcome = {}, "ok"
    try:
        answer = getattr(kms, xform_name(operation))(**arguments)
    except ClientError as error:
        outcome = error.response["Error"]["Code"]
    print(json.dumps({"operation": operation, "case": case, "expected": expected, "outcome": outcome}))
    return answer


def check(operation, case, is_right):
    """Reports what an answer must be."""
    outcome = "ok" if is_right else "a wrong answer"
    print(json.dumps({"operation": operation, "case": case, "expected": "ok", "outcome": outcome}))


def key_id(alias):
    """The id of a key. Operations that change keys take no alias."""
    return kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]


def key_state(key):
    """The state of a key."""
    return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


def refusals(operation, key, state=DISABLED, usage=None, **arguments):
    """The refusals of every operation with one key."""
    call(operation, "a key that does not exist", NOT_FOUND, KeyId="alias/none", **arguments)
    call(operation, "an ARN of another service", ARN, KeyId="arn:aws:s3:::bucket", **arguments)
    if state:
        call(operation, "a disabled key", state, KeyId="alias/asleep", **arguments)
    if usage:
        call(operation, "a key of another usage", USAGE, KeyId=usage, **arguments)
    if key and "DryRun" in kms.meta.service_model.operation_model(operation).input_shape.members:
        call(operation, "a dry run", DRY_RUN, KeyId=key, DryRun=True, **arguments)


ORDERS, MAC, SIGN, RSA = "alias/orders", "alias/mac", "alias/sign", "alias/rsa"
AGREE, KEM = "alias/agree", "alias/kem"
CONTEXT = {"tenant": "a", "table": "orders"}
SECRET = b"attack at dawn"


def encryption():
    sealed = call("Encrypt", "with a context", KeyId=ORDERS, Plaintext=SECRET, EncryptionContext=CONTEXT)
    blob = sealed["CiphertextBlob"]
    refusals("Encrypt", ORDERS, usage=SIGN, Plaintext=SECRET)
    call("Encrypt", "a plaintext of 4097 bytes", VALIDATION, KeyId=ORDERS, Plaintext=bytes(4097))

    opened = call("Decrypt", "without KeyId", CiphertextBlob=blob, EncryptionContext=CONTEXT)
    check("Decrypt", "the plaintext comes back", opened["Plaintext"] == SECRET)
    check("Decrypt", "KeyId is the key's ARN", opened["KeyId"] == sealed["KeyId"])
    call("Decrypt", "another context", CIPHERTEXT, CiphertextBlob=blob, EncryptionContext={"tenant": "b"})
    call("Decrypt", "no context", CIPHERTEXT, CiphertextBlob=blob)
    changed = blob[:-1] + bytes([blob[-1] ^ 1])
    call("Decrypt", "a changed ciphertext", CIPHERTEXT, CiphertextBlob=changed, EncryptionContext=CONTEXT)
    call("Decrypt", "another key", "IncorrectKeyException", KeyId="alias/other", CiphertextBlob=blob,
         EncryptionContext=CONTEXT)
    call("Decrypt", "a dry run", DRY_RUN, CiphertextBlob=blob, EncryptionContext=CONTEXT, DryRun=True)

    moved = call("ReEncrypt", "to another key and context", CiphertextBlob=blob, SourceEncryptionContext=CONTEXT,
                 DestinationKeyId="alias/other", DestinationEncryptionContext={"tenant": "b"})
    opened = call("Decrypt", "what ReEncrypt made", CiphertextBlob=moved["CiphertextBlob"],
                  EncryptionContext={"tenant": "b"})
    check("ReEncrypt", "the plaintext is the same", opened["Plaintext"] == SECRET)
    call("ReEncrypt", "another source context", CIPHERTEXT, CiphertextBlob=blob, DestinationKeyId=ORDERS)
    call("ReEncrypt", "a destination that does not exist", NOT_FOUND, CiphertextBlob=blob,
         SourceEncryptionContext=CONTEXT, DestinationKeyId="alias/none")
    call("ReEncrypt", "a disabled destination", DISABLED, CiphertextBlob=blob,
         SourceEncryptionContext=CONTEXT, DestinationKeyId="alias/asleep")

    sealed = call("Encrypt", "with RSA", KeyId=RSA, Plaintext=SECRET, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    opened = call("Decrypt", "with RSA", KeyId=RSA, CiphertextBlob=sealed["CiphertextBlob"],
                  EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    check("Decrypt", "RSA's plaintext comes back", opened["Plaintext"] == SECRET)


def data_keys():
    made = call("GenerateDataKey", "AES_256", KeyId=ORDERS, KeySpec="AES_256", EncryptionContext=CONTEXT)
    opened = call("Decrypt", "a data key", CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
    check("GenerateDataKey", "its ciphertext opens", opened["Plaintext"] == made["Plaintext"])
    call("GenerateDataKey", "KeySpec and NumberOfBytes", VALIDATION, KeyId=ORDERS, KeySpec="AES_256",
         NumberOfBytes=32)
    refusals("GenerateDataKey", ORDERS, usage=MAC, KeySpec="AES_256")
    made = call("GenerateDataKeyWithoutPlaintext", "64 bytes", KeyId=ORDERS, NumberOfBytes=64)
    check("GenerateDataKeyWithoutPlaintext", "no plaintext", "Plaintext" not in made)
    refusals("GenerateDataKeyWithoutPlaintext", ORDERS, usage=MAC, KeySpec="AES_256")

    pair = call("GenerateDataKeyPair", "P-256", KeyId=ORDERS, KeyPairSpec="ECC_NIST_P256")
    private = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
    public = serialization.load_der_public_key(pair["PublicKey"])
    check("GenerateDataKeyPair", "the halves match", private.public_key() == public)
    refusals("GenerateDataKeyPair", ORDERS, usage=MAC, KeyPairSpec="ECC_NIST_P256")
    pair = call("GenerateDataKeyPairWithoutPlaintext", "P-256", KeyId=ORDERS, KeyPairSpec="ECC_NIST_P256")
    opened = call("Decrypt", "a private key", CiphertextBlob=pair["PrivateKeyCiphertextBlob"])
    private = serialization.load_der_private_key(opened["Plaintext"], None)
    public = serialization.load_der_public_key(pair["PublicKey"])
    check("GenerateDataKeyPairWithoutPlaintext", "the halves match", private.public_key() == public)
    refusals("GenerateDataKeyPairWithoutPlaintext", ORDERS, usage=MAC, KeyPairSpec="ECC_NIST_P256")

    made = call("GenerateRandom", "32 bytes", NumberOfBytes=32)
    check("GenerateRandom", "32 bytes come", len(made["Plaintext"]) == 32)
    call("GenerateRandom", "1025 bytes", VALIDATION, NumberOfBytes=1025)


def signatures():
    arguments = {"Message": SECRET, "SigningAlgorithm": "ECDSA_SHA_256"}
    signed = call("Sign", "P-256", KeyId=SIGN, **arguments)
    refusals("Sign", SIGN, usage=ORDERS, **arguments)
    call("Sign", "an algorithm of another key spec", USAGE, KeyId=SIGN, Message=SECRET,
         SigningAlgorithm="RSASSA_PSS_SHA_256")
    call("Verify", "P-256", KeyId=SIGN, Signature=signed["Signature"], **arguments)
    call("Verify", "another message", "KMSInvalidSignatureException", KeyId=SIGN, Message=b"attack at dusk",
         Signature=signed["Signature"], SigningAlgorithm="ECDSA_SHA_256")
    refusals("Verify", SIGN, usage=ORDERS, Signature=signed["Signature"], **arguments)

    public = call("GetPublicKey", "P-256", KeyId=SIGN)
    key = serialization.load_der_public_key(public["PublicKey"])
    key.verify(signed["Signature"], SECRET, ec.ECDSA(hashes.SHA256()))
    check("GetPublicKey", "verifies a signature outside", True)
    call("GetPublicKey", "a symmetric key", UNSUPPORTED, KeyId=ORDERS)
    refusals("GetPublicKey", SIGN, state=None)
    key = serialization.load_der_public_key(call("GetPublicKey", "RSA", KeyId=RSA)["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    opened = call("Decrypt", "encrypted outside under the public key", KeyId=RSA,
                  CiphertextBlob=key.encrypt(SECRET, oaep), EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    check("Decrypt", "the plaintext from outside comes back", opened["Plaintext"] == SECRET)

    arguments = {"Message": SECRET, "MacAlgorithm": "HMAC_SHA_256"}
    made = call("GenerateMac", "HMAC_256", KeyId=MAC, **arguments)
    refusals("GenerateMac", MAC, usage=ORDERS, **arguments)
    call("VerifyMac", "HMAC_256", KeyId=MAC, Mac=made["Mac"], **arguments)
    call("VerifyMac", "another MAC", "KMSInvalidMacException", KeyId=MAC, Mac=bytes(32), **arguments)
    refusals("VerifyMac", MAC, usage=ORDERS, Mac=made["Mac"], **arguments)


def shared_secrets():
    ours = ec.generate_private_key(ec.SECP256R1())
    der = ours.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    arguments = {"KeyAgreementAlgorithm": "ECDH", "PublicKey": der}
    derived = call("DeriveSharedSecret", "P-256", KeyId=AGREE, **arguments)
    theirs = serialization.load_der_public_key(call("GetPublicKey", "KEY_AGREEMENT", KeyId=AGREE)["PublicKey"])
    check("DeriveSharedSecret", "both sides agree", derived["SharedSecret"] == ours.exchange(ec.ECDH(), theirs))
    refusals("DeriveSharedSecret", AGREE, usage=SIGN, **arguments)

    arguments = {"EncapsulationAlgorithm": "ML_KEM"}
    made = call("Encapsulate", "ML_KEM_512", KeyId=KEM, **arguments)
    refusals("Encapsulate", KEM, usage=SIGN, **arguments)
    blob = made["SharedSecretCiphertextBlob"]
    opened = call("Decapsulate", "ML_KEM_512", KeyId=KEM, SharedSecretCiphertextBlob=blob, **arguments)
    check("Decapsulate", "both sides agree", opened["SharedSecret"] == made["SharedSecret"])
    refusals("Decapsulate", KEM, usage=SIGN, SharedSecretCiphertextBlob=blob, **arguments)


def metadata():
    made = call("CreateKey", "with a tag", Description="made by boto3", Tags=[{"TagKey": "team", "TagValue": "a"}])
    key = made["KeyMetadata"]["KeyId"]
    call("CreateKey", "a usage that the key spec does not have", VALIDATION, KeySpec="HMAC_256",
         KeyUsage="SIGN_VERIFY")
    call("CreateKey", "MultiRegion", UNSUPPORTED, MultiRegion=True)
    call("UpdateKeyDescription", "a new text", KeyId=key, Description="changed by boto3")
    described = call("DescribeKey", "by id", KeyId=key)["KeyMetadata"]
    check("DescribeKey", "the new description", described["Description"] == "changed by boto3")
    call("TagResource", "a second tag", KeyId=key, Tags=[{"TagKey": "cost", "TagValue": "1"}])
    call("UntagResource", "the first tag", KeyId=key, TagKeys=["team"])
    tags = call("ListResourceTags", "one is left", KeyId=key)["Tags"]
    check("ListResourceTags", "that tag", tags == [{"TagKey": "cost", "TagValue": "1"}])
    call("TagResource", "a reserved key", "TagException", KeyId=key, Tags=[{"TagKey": "aws:x", "TagValue": ""}])
    call("GetKeyLastUsage", "an unused key", KeyId=key)
    for operation, more in {
        "DescribeKey": {}, "ListResourceTags": {}, "GetKeyLastUsage": {}, "UntagResource": {"TagKeys": ["x"]},
        "TagResource": {"Tags": [{"TagKey": "x", "TagValue": ""}]}, "UpdateKeyDescription": {"Description": ""},
    }.items():
        refusals(operation, None, state=None, **more)
    keys = call("ListKeys", "two a page", Limit=2)
    check("ListKeys", "and there are more", keys["Truncated"] and len(keys["Keys"]) == 2)
    rest = call("ListKeys", "the next page", Marker=keys["NextMarker"])
    first = {one["KeyId"] for one in keys["Keys"]}
    check("ListKeys", "which has other keys", first.isdisjoint(one["KeyId"] for one in rest["Keys"]))
    every = {one["KeyId"] for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3})
             for one in page["Keys"]}
    check("ListKeys", "the paginator finds all", every == first | {one["KeyId"] for one in rest["Keys"]})
    call("ListKeys", "an invented marker", MARKER, Marker="invented")
    return key


def policies(key):
    names = call("ListKeyPolicies", "one name", KeyId=key)["PolicyNames"]
    check("ListKeyPolicies", "default", names == ["default"])
    policy = json.loads(call("GetKeyPolicy", "the default policy", KeyId=key, PolicyName="default")["Policy"])
    account = policy["Statement"][0]
    check("GetKeyPolicy", "leaves it to the account", account["Principal"]["AWS"].endswith(":root"))
    denying = {**account, "Sid": "no tags", "Effect": "Deny", "Principal": "*", "Action": "kms:TagResource"}
    policy["Statement"] = [account, denying]
    call("PutKeyPolicy", "with a Deny", KeyId=key, Policy=json.dumps(policy))
    call("TagResource", "that a key policy denies", "AccessDeniedException", KeyId=key,
         Tags=[{"TagKey": "x", "TagValue": "1"}])
    got = json.loads(call("GetKeyPolicy", "the new policy", KeyId=key)["Policy"])
    check("GetKeyPolicy", "nothing is lost", got == policy)
    malformed = "MalformedPolicyDocumentException"
    call("PutKeyPolicy", "no JSON", malformed, KeyId=key, Policy="x")
    call("PutKeyPolicy", "an unknown condition key", malformed, KeyId=key, Policy=json.dumps(
        {"Statement": {**account, "Condition": {"StringEquals": {"aws:MultiFactorAuthPresent": "true"}}}}))
    locked = json.dumps({"Statement": {**account, "Action": "kms:Encrypt"}})
    call("PutKeyPolicy", "that locks the caller out", malformed, KeyId=key, Policy=locked)
    call("PutKeyPolicy", "longer than 32 KiB", "LimitExceededException", KeyId=key,
         Policy=json.dumps(policy) + " " * 40000)
    call("PutKeyPolicy", "another name", VALIDATION, KeyId=key, PolicyName="other", Policy=json.dumps(policy))
    call("GetKeyPolicy", "another name", NOT_FOUND, KeyId=key, PolicyName="other")
    call("PutKeyPolicy", "the default again", KeyId=key, Policy=json.dumps({**policy, "Statement": [account]}))
    own = call("CreateKey", "with a policy", Policy=json.dumps(policy))["KeyMetadata"]["KeyId"]
    got = json.loads(call("GetKeyPolicy", "of a key that was created with it", KeyId=own)["Policy"])
    check("CreateKey", "has that policy", got == policy)
    call("CreateKey", "with a policy that locks the caller out", malformed, Policy=locked)
    call("CreateKey", "the same, on purpose", Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    for operation, more in {"GetKeyPolicy": {}, "ListKeyPolicies": {}, "PutKeyPolicy": {"Policy": locked}}.items():
        refusals(operation, None, state=None, **more)


def aliases(key):
    call("CreateAlias", "of a new key", AliasName="alias/boto3", TargetKeyId=key)
    call("CreateAlias", "a name that is taken", "AlreadyExistsException", AliasName="alias/boto3", TargetKeyId=key)
    call("CreateAlias", "a reserved name", "InvalidAliasNameException", AliasName="alias/aws/x", TargetKeyId=key)
    call("CreateAlias", "of no key", NOT_FOUND, AliasName="alias/of-none", TargetKeyId="alias/none")
    listed = call("ListAliases", "of a key", KeyId=key)["Aliases"]
    check("ListAliases", "the new alias", [one["AliasName"] for one in listed] == ["alias/boto3"])
    call("ListAliases", "an invented marker", MARKER, Marker="invented")
    other = key_id("alias/other")
    call("UpdateAlias", "to another key", AliasName="alias/boto3", TargetKeyId=other)
    call("UpdateAlias", "an alias that does not exist", NOT_FOUND, AliasName="alias/none", TargetKeyId=other)
    call("DeleteAlias", "the new alias", AliasName="alias/boto3")
    call("DeleteAlias", "an alias that does not exist", NOT_FOUND, AliasName="alias/none")


def rotation(key):
    call("EnableKeyRotation", "every 180 days", KeyId=key, RotationPeriodInDays=180)
    status = call("GetKeyRotationStatus", "it is on", KeyId=key)
    check("GetKeyRotationStatus", "180 days", status["KeyRotationEnabled"] and status["RotationPeriodInDays"] == 180)
    call("DisableKeyRotation", "off again", KeyId=key)
    call("RotateKeyOnDemand", "now", KeyId=key)
    # As in AWS KMS, the answer comes before the new material.
    deadline = time.monotonic() + 60
    while not kms.list_key_rotations(KeyId=key)["Rotations"] and time.monotonic() < deadline:
        time.sleep(0.1)
    rotations = call("ListKeyRotations", "once", KeyId=key)["Rotations"]
    check("ListKeyRotations", "on demand", [one["RotationType"] for one in rotations] == ["ON_DEMAND"])
    signing, asleep = key_id(SIGN), key_id("alias/asleep")
    for operation in ("EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand"):
        refusals(operation, None, state=None)
        call(operation, "a disabled key", DISABLED, KeyId=asleep)
        call(operation, "a signing key", UNSUPPORTED, KeyId=signing)
    for operation in ("GetKeyRotationStatus", "ListKeyRotations"):
        refusals(operation, None, state=None)
    status = call("GetKeyRotationStatus", "a signing key", KeyId=signing)
    check("GetKeyRotationStatus", "never rotates", not status["KeyRotationEnabled"])
    call("ListKeyRotations", "a signing key", UNSUPPORTED, KeyId=signing)


def states(key):
    call("DisableKey", "an enabled key", KeyId=key)
    call("Encrypt", "after DisableKey", DISABLED, KeyId=key, Plaintext=SECRET)
    call("EnableKey", "a disabled key", KeyId=key)
    call("Encrypt", "after EnableKey", KeyId=key, Plaintext=SECRET)
    going = call("ScheduleKeyDeletion", "in 7 days", KeyId=key, PendingWindowInDays=7)
    check("ScheduleKeyDeletion", "it is pending", going["KeyState"] == "PendingDeletion")
    call("ScheduleKeyDeletion", "twice", STATE, KeyId=key)
    call("ScheduleKeyDeletion", "in 6 days", VALIDATION, KeyId=ORDERS, PendingWindowInDays=6)
    call("Encrypt", "a key that is pending deletion", STATE, KeyId=key, Plaintext=SECRET)
    call("EnableKey", "a key that is pending deletion", STATE, KeyId=key)
    call("DisableKey", "a key that is pending deletion", STATE, KeyId=key)
    call("CancelKeyDeletion", "it stays", KeyId=key)
    call("CancelKeyDeletion", "twice", STATE, KeyId=key)
    for operation in ("DisableKey", "EnableKey", "ScheduleKeyDeletion", "CancelKeyDeletion"):
        refusals(operation, None, state=None)


def imports():
    # No API server can use an HMAC key, so that its material is deleted at once, whatever API servers do.
    spec = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
    key = call("CreateKey", "of origin EXTERNAL", Origin="EXTERNAL", **spec)["KeyMetadata"]["KeyId"]
    check("CreateKey", "it waits for its material", key_state(key) == "PendingImport")
    wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_3072"}
    offer = call("GetParametersForImport", "RSA_3072", KeyId=key, **wrapping)
    call("GetParametersForImport", "a key of claviger's own material", UNSUPPORTED, KeyId=key_id(ORDERS), **wrapping)
    refusals("GetParametersForImport", None, state=None, **wrapping)
    public = serialization.load_der_public_key(offer["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    material = {"EncryptedKeyMaterial": public.encrypt(os.urandom(32), oaep),
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    call("ImportKeyMaterial", "an invented token", "InvalidImportTokenException", KeyId=key, ImportToken=b"invented",
         **material)
    call("ImportKeyMaterial", "32 bytes", KeyId=key, ImportToken=offer["ImportToken"], **material)
    refusals("ImportKeyMaterial", None, state=None, ImportToken=offer["ImportToken"], **material)
    check("ImportKeyMaterial", "the key is enabled", key_state(key) == "Enabled")
    call("DeleteImportedKeyMaterial", "a key of claviger's own material", UNSUPPORTED, KeyId=key_id(ORDERS))
    call("DeleteImportedKeyMaterial", "material of another key", NOT_FOUND, KeyId=key, KeyMaterialId="0" * 64)
    call("DeleteImportedKeyMaterial", "the current material", KeyId=key)
    refusals("DeleteImportedKeyMaterial", None, state=None)
    check("DeleteImportedKeyMaterial", "the key waits for its material", key_state(key) == "PendingImport")


def grants():
    if "CreateGrant" not in SERVED:
        return
    key, user = key_id(ORDERS), "arn:aws:iam::000000000000:user/"
    terms = {"KeyId": key, "GranteePrincipal": user + "reader", "RetiringPrincipal": user + "keeper",
             "Operations": ["Decrypt"], "Name": "boto3", "Constraints": {"EncryptionContextSubset": {"tenant": "a"}}}
    made = call("CreateGrant", "to a user", **terms)
    again = call("CreateGrant", "the same again by its Name", **terms)
    check("CreateGrant", "one grant", made["GrantId"] == again["GrantId"])
    sign = {"GranteePrincipal": user + "reader", "Operations": ["Sign"]}
    call("CreateGrant", "an operation that the key cannot do", VALIDATION, KeyId=key, **sign)
    call("CreateGrant", "a disabled key", DISABLED, KeyId=key_id("alias/asleep"),
         GranteePrincipal=user + "reader", Operations=["Decrypt"])
    call("CreateGrant", "a key that does not exist", NOT_FOUND, KeyId="alias/none", **sign)
    listed = call("ListGrants", "of a key", KeyId=key)["Grants"]
    check("ListGrants", "the grant", [one["GrantId"] for one in listed] == [made["GrantId"]])
    call("ListGrants", "a key that does not exist", NOT_FOUND, KeyId="alias/none")
    listed = call("ListRetirableGrants", "of a user", RetiringPrincipal=user + "keeper")["Grants"]
    check("ListRetirableGrants", "the grant", [one["GrantId"] for one in listed] == [made["GrantId"]])
    call("ListRetirableGrants", "an invented marker", MARKER, RetiringPrincipal=user + "keeper", Marker="invented")
    call("RevokeGrant", "a grant that does not exist", NOT_FOUND, KeyId=key, GrantId="0" * 64)
    call("RevokeGrant", "the grant", KeyId=key, GrantId=made["GrantId"])
    check("RevokeGrant", "it is gone", kms.list_grants(KeyId=key)["Grants"] == [])
    made = call("CreateGrant", "another", KeyId=key, GranteePrincipal=user + "reader", Operations=["Encrypt"])
    call("RetireGrant", "by an invented token", "InvalidGrantTokenException", GrantToken="invented")
    call("RetireGrant", "by its token", GrantToken=made["GrantToken"])
    check("RetireGrant", "it is gone", kms.list_grants(KeyId=key)["Grants"] == [])


def main():
    encryption()
    data_keys()
    signatures()
    shared_secrets()
    key = metadata()
    policies(key)
    aliases(key)
    rotation(key)
    states(key)
    imports()
    grants()


main()
