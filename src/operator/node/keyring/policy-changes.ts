import type { KeyId } from "../../../crypto/ids.ts";
import type { KeyringChange } from "../../../keyring/changes.ts";
import { type PolicyStamp, policyDigest } from "../../../keyring/tables/key-policies.ts";
import type { ObjectName } from "../../../names.ts";
import { isTooLong, policyTextOf } from "../../../resources/key-policy.ts";
import type { MasterKey } from "../../../resources/resources.ts";

interface WantedPolicy {
  readonly document: string | undefined;
  readonly digest: string;
}

/** The policies of MasterKeys that were looked at before: another state of one is another JavaScript object. */
const known = new WeakMap<MasterKey, WantedPolicy | "default">();

/**
 * Returns the changes that record a MasterKey's policy. Malformed documents are recorded too: the API allows nothing
 * by them, and a former policy must not go on allowing.
 */
export function policyChanges(
  masterKey: MasterKey,
  { namespace, name, keyId }: ObjectName & { readonly keyId: KeyId },
  stored: PolicyStamp | undefined,
): KeyringChange[] {
  const wanted = wantedOf(masterKey);
  if (wanted === "default")
    return stored === undefined ? [] : [{ kind: "removePolicy", key: { namespace, name } }];
  if (stored?.keyId === keyId && stored.digest === wanted.digest) return [];
  return [{ kind: "putPolicy", policy: { namespace, name, keyId, ...wanted } }];
}

function wantedOf(masterKey: MasterKey): WantedPolicy | "default" {
  const before = known.get(masterKey);
  if (before !== undefined) return before;
  const wanted = read(masterKey);
  known.set(masterKey, wanted);
  return wanted;
}

function read(masterKey: MasterKey): WantedPolicy | "default" {
  const text = policyTextOf(masterKey);
  if (text === undefined) return "default";
  const document = isTooLong(text) ? undefined : text;
  return { document, digest: policyDigest(document) };
}
