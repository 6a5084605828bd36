import { type KeyId, kmsKeyId, type VersionId } from "../../src/crypto/ids.ts";
import { ids } from "./inputs.ts";

export const KEY_ID_ABOUT =
  "kmsKeyId = the first 16 bytes, in lowercase hex, of SHA-256('claviger/v1/key_id', keyId (16 bytes), versionId (16 bytes)). " +
  "outcome InvalidArgument: one of the ids is not a lowercase UUID.";

interface Ids {
  readonly name: string;
  readonly keyId: string;
  readonly versionId: string;
}
export type KeyIdVector =
  | (Ids & { readonly outcome: "ok"; readonly kmsKeyId: string })
  | (Ids & { readonly outcome: "InvalidArgument" });

export function keyIdVectors(): KeyIdVector[] {
  return [
    named("a key and a version have the key_id that the API server stores", ids.key, ids.version),
    named("another version of the same key has another key_id", ids.key, ids.otherVersion),
    named("the same version id under another key has another key_id", ids.otherKey, ids.version),
    named(
      "key and version that change places have another key_id",
      ids.version as string as KeyId,
      ids.key as string as VersionId,
    ),
    refused("an uppercase keyId is refused", ids.key.toUpperCase(), ids.version),
    refused("an uppercase versionId is refused", ids.key, ids.version.toUpperCase()),
    refused("a keyId without hyphens is refused", ids.key.replaceAll("-", ""), ids.version),
    refused("a keyId in braces is refused", `{${ids.key}}`, ids.version),
    refused("a keyId with a newline behind it is refused", `${ids.key}\n`, ids.version),
    refused("an empty versionId is refused", ids.key, ""),
  ];
}

function named(name: string, keyId: KeyId, versionId: VersionId): KeyIdVector {
  return { name, keyId, versionId, outcome: "ok", kmsKeyId: kmsKeyId(keyId, versionId) };
}

function refused(name: string, keyId: string, versionId: string): KeyIdVector {
  return { name, keyId, versionId, outcome: "InvalidArgument" };
}
