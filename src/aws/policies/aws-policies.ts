import { defaultPolicy } from "../../access/policy/default-policy.ts";
import { MalformedPolicy } from "../../access/policy/malformed-policy.ts";
import type { Policy } from "../../access/policy/policy.ts";
import { readPolicy } from "../../access/policy/read-policy.ts";
import type { KeyId } from "../../crypto/ids.ts";
import { parsedJson } from "../../json.ts";
import type { LiveKeyring } from "../../keyring/live/live-keyring.ts";
import type { KeyringReader } from "../../keyring/reader.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import { nameText } from "../../names.ts";
import { putNewest } from "../../put-newest.ts";
import { AwsError } from "../aws-error.ts";

/** The only name that a key policy has. */
export const POLICY_NAME = "default";

/** The policy of a key. `document` is its JSON, which a document that is too long does not have. */
export type HeldPolicy =
  | { readonly kind: "default"; readonly document: string }
  | { readonly kind: "own"; readonly document: string; readonly policy: Policy }
  | { readonly kind: "malformed"; readonly document: string | undefined };

interface Kept {
  readonly keyId: KeyId;
  /** Undefined for the default policy. */
  readonly digest: string | undefined;
  /** The `commits` of the keyring at which the policy was last asked for. */
  readonly commits: number;
  readonly held: HeldPolicy;
}

const MOST_KEPT = 10_000;

/**
 * The key policies of this node's keyring. After each commit that the keyring has sighted, a question asks the file,
 * which is never behind the key's row in memory: a key is not found before its policy, nor a new key with a former
 * key's.
 */
export class AwsPolicies {
  readonly #keyring: LiveKeyring;
  readonly #account: string;
  readonly #default: HeldPolicy;
  readonly #kept = new Map<string, Kept>();

  constructor(keyring: LiveKeyring, account: string) {
    this.#keyring = keyring;
    this.#account = account;
    this.#default = heldDefault(account);
  }

  /**
   * Returns the policy of a key. While the file cannot be read, the policy counts that was read last. Throws
   * DependencyTimeoutException if the policy is not known.
   */
  of(key: KeyRow): HeldPolicy {
    const kept = this.#kept.get(nameText(key));
    const former = kept?.keyId === key.keyId ? kept : undefined;
    if (former?.commits === this.#keyring.commits) return former.held;
    try {
      return this.#keyring.ask((reader) => this.#read(reader, key, former));
    } catch (error) {
      if (error instanceof AwsError) throw error;
      if (former !== undefined) return former.held;
      throw notKnown("The keyring of this node cannot be read at present", error);
    }
  }

  #read(reader: KeyringReader, key: KeyRow, former: Kept | undefined): HeldPolicy {
    const { areRecorded, stamp } = reader.policyStamp(key);
    if (!areRecorded) throw notKnown("The operator of this node has not recorded all key policies yet");
    const { commits } = this.#keyring;
    if (former !== undefined && former.digest === stamp?.digest) {
      if (stamp === undefined || stamp.keyId === key.keyId) return this.#keep(key, { ...former, commits });
    }
    const found = stamp && reader.keyPolicy(key);
    if (found !== undefined && found.keyId !== key.keyId)
      throw notKnown("The operator of this node is just recording another key under this name");
    const held = found === undefined ? this.#default : heldPolicy(found.document, this.#account);
    return this.#keep(key, { keyId: key.keyId, digest: found?.digest, commits, held });
  }

  #keep(key: KeyRow, kept: Kept): HeldPolicy {
    putNewest(this.#kept, nameText(key), kept, MOST_KEPT);
    return kept.held;
  }
}

/** Returns the policy of a key that has none of its own. */
export const heldDefault = (account: string): HeldPolicy => ({
  kind: "default",
  document: JSON.stringify(defaultPolicy(account)),
});

/** Reads a key's own policy; `document` is undefined if it is too long to be kept. */
export function heldPolicy(document: string | undefined, account: string): HeldPolicy {
  if (document === undefined) return { kind: "malformed", document };
  try {
    return { kind: "own", document, policy: readPolicy(parsedJson(document), account) };
  } catch (error) {
    if (error instanceof MalformedPolicy) return { kind: "malformed", document };
    throw error;
  }
}

const notKnown = (why: string, cause?: unknown): AwsError =>
  new AwsError("DependencyTimeoutException", `${why}. Retry, or see the log of claviger operator.`, {
    cause,
  });
