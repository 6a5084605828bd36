import { GrantIndex } from "../../access/grant-index.ts";
import { type HeldPolicy, heldDefault, heldPolicy } from "../../aws/policies/aws-policies.ts";
import { ClavigerError } from "../../errors.ts";
import type { KeyringReader } from "../../keyring/reader.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import type { AwsSite } from "../../keys/arn.ts";
import { findKey, type KeyName } from "../../keys/find-key.ts";
import { nameText } from "../../names.ts";
import type { KeyFacts } from "./key-facts.ts";

const GRANTS_A_READ = 1_000;

/** Reads what a node's keyring knows of a key. Throws NotFound, NotReady, or the errors of a reader. */
export function keyringFacts(reader: KeyringReader, name: KeyName, site: AwsSite): KeyFacts {
  const { keys, aliases, removedAliases } = reader.snapshot();
  const there = new Map([...aliases].filter(([alias]) => removedAliases?.has(alias) !== true));
  const key = findKey({ keys, aliases: there, version: (id) => reader.version(id), absent: notFound }, name);
  const details = reader.keyDetails(key);
  return {
    ...{ key, site, policy: policyOf(reader, key, site.account), grants: grantsOf(reader), unaccepted: [] },
    details: details?.keyId === key.keyId ? details : undefined,
    aliases: [...there.values()].filter(({ namespace }) => namespace === key.namespace),
  };
}

const notFound = (object: string): ClavigerError =>
  new ClavigerError("NotFound", `${object} is not in this node's keyring; claviger status shows its keys`);

function policyOf(reader: KeyringReader, key: KeyRow, account: string): HeldPolicy {
  if (!reader.policyStamp(key).areRecorded)
    throw new ClavigerError(
      "NotReady",
      `the operator has not recorded all key policies yet, so that nobody may use ${nameText(key)} by the AWS KMS API: see its log`,
    );
  const found = reader.keyPolicy(key);
  if (found === undefined) return heldDefault(account);
  if (found.keyId === key.keyId) return heldPolicy(found.document, account);
  throw new ClavigerError("NotReady", `the policy of ${nameText(key)} is just being recorded: retry`);
}

function grantsOf(reader: KeyringReader): GrantIndex {
  if (!reader.hasFollowed("KeyGrant"))
    throw new ClavigerError("NotReady", "the operator has not recorded all grants yet: see its log");
  const index = new GrantIndex();
  for (let seq = 0; ; ) {
    const stored = reader.grantsAfter(seq, GRANTS_A_READ);
    for (const { grant } of stored) if (grant !== undefined) index.put(grant);
    const last = stored.at(-1);
    if (last === undefined) return index;
    seq = last.seq;
  }
}
