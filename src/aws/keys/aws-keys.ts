import type { KeyId } from "../../crypto/ids.ts";
import { materialId } from "../../crypto/import-wrapping.ts";
import type { KeyUsage } from "../../crypto/key-specs.ts";
import type { Message } from "../../crypto/message.ts";
import type { Secret } from "../../crypto/secret.ts";
import { ClavigerError } from "../../errors.ts";
import { destroyedError } from "../../keyring/live/destroyed-error.ts";
import type { LiveKeyring } from "../../keyring/live/live-keyring.ts";
import { type AliasRow, isExpired, type KeyRow, type VersionRow } from "../../keyring/rows.ts";
import type { KeyDetails } from "../../keyring/tables/key-details.ts";
import type { VersionDetails } from "../../keyring/tables/version-details.ts";
import type { AwsSite } from "../../keys/arn.ts";
import { findKey } from "../../keys/find-key.ts";
import { useRefusal } from "../../keys/usable-version.ts";
import { nameText, type ObjectName } from "../../names.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import { AwsPolicies } from "../policies/aws-policies.ts";
import type { UsageTracker } from "../usage/usage-tracker.ts";
import { aliasArn, keyArn, type NamedKey, notFound, parseKeyName } from "./key-name.ts";
import { decideKeyState, type KeyState, stateError } from "./key-state.ts";

/** A key that may be used now, with the version that it uses. */
export interface UsableKey {
  readonly key: KeyRow;
  readonly arn: string;
  readonly version: VersionRow;
}

/** A version of a key, with when and why it became current if that is recorded. */
export interface DatedVersion {
  readonly version: VersionRow;
  readonly details: VersionDetails | undefined;
}

/** An alias, with the key that it points to if there is one. */
export interface TargetedAlias extends AliasRow {
  readonly target: KeyRow | undefined;
}

/** The keys of this node's keyring, as the operations of the AWS-compatible API use them. */
export class AwsKeys {
  readonly site: AwsSite;
  readonly usage: UsageTracker;
  readonly policies: AwsPolicies;
  readonly #keyring: LiveKeyring;
  /** The ids of materials that were used, by versionId. */
  readonly #materialIds = new WeakMap<VersionRow, string>();

  constructor(keyring: LiveKeyring, site: AwsSite, usage: UsageTracker) {
    this.#keyring = keyring;
    this.site = site;
    this.usage = usage;
    this.policies = new AwsPolicies(keyring, site.account);
  }

  /** Sees what another process has just written: a caller's own change, above all. */
  freshen(): void {
    this.#keyring.freshen();
  }

  /** Returns the keys of a namespace. */
  ofNamespace(namespace: string): KeyRow[] {
    return [...this.#keyring.keys.values()].filter(
      (key) => key.namespace === namespace && !this.#isDestroyed(key),
    );
  }

  /** Returns the aliases of a namespace whose KeyAliases exist, with the keys that they point to. */
  aliasesOf(namespace: string): TargetedAlias[] {
    return [...this.#keyring.aliases.values()]
      .filter((alias) => alias.namespace === namespace && !this.#keyring.isRemoved(alias))
      .map((alias) => ({ ...alias, target: this.#row({ alias }) }));
  }

  /** Returns the alias of this name; undefined if there is none. */
  alias(name: ObjectName): AliasRow | undefined {
    const row = this.#keyring.aliases.get(nameText(name));
    return row === undefined || this.#keyring.isRemoved(row) ? undefined : row;
  }

  /** Returns the key of the MasterKey of this name; undefined if there is none. */
  named(name: ObjectName): KeyRow | undefined {
    return this.#keyring.keys.get(nameText(name));
  }

  /** Finds the key of a KeyId: a key id, an alias or an ARN. Throws NotFoundException or InvalidArnException. */
  find(name: string, { namespace }: Pick<Caller, "namespace">): KeyRow {
    const named = parseKeyName(name, namespace, this.site);
    return this.#row(named) ?? this.absent(notFound(named, this.site));
  }

  /** Returns the key with this id; undefined if there is none. */
  withId(keyId: KeyId): KeyRow | undefined {
    return this.#row({ keyId });
  }

  /** Returns the key that a ciphertext names. Throws InvalidCiphertextException if there is none. */
  ofCiphertext({ keyId }: Message): KeyRow {
    return this.#row({ keyId }) ?? this.absent(invalidCiphertext());
  }

  arn({ keyId }: Pick<KeyRow, "keyId">): string {
    return keyArn(keyId, this.site);
  }

  aliasArn(alias: AliasRow): string {
    return aliasArn(alias, this.site);
  }

  /** Returns the version that encrypts; undefined if there is none yet. */
  current({ current }: KeyRow): VersionRow | undefined {
    return current && this.#keyring.version(current.versionId);
  }

  /** Returns the key's state at `now` (epoch milliseconds). */
  state(key: KeyRow, now: number): KeyState {
    const state = decideKeyState(key, this.current(key), this.#keyring.expiryTime(now));
    return state === "Creating" && this.recorded(key)?.origin === "EXTERNAL" ? "PendingImport" : state;
  }

  /** Returns what describes a key. Throws DependencyTimeoutException if the operator has not recorded it yet. */
  details(key: KeyRow): KeyDetails {
    return this.recorded(key) ?? notRecorded(this.arn(key));
  }

  /** Returns what describes a key; undefined if the operator has not recorded it yet. */
  recorded(key: KeyRow): KeyDetails | undefined {
    const details = this.#keyring.ask((reader) => reader.keyDetails(key));
    // The name may have been another key's when its details were recorded.
    return details?.keyId === key.keyId ? details : undefined;
  }

  /** Returns the versions of a key that are not destroyed, the lowest number first. */
  versions(key: KeyRow): readonly DatedVersion[] {
    return this.#keyring.ask((reader) =>
      reader
        .versionsOf(key.keyId)
        .filter((version) => this.#isOwn(version, key))
        .map((version) => ({ version, details: reader.versionDetails(version.versionId) })),
    );
  }

  /** Returns a version as requests find it: `versions` reads the file, which may be ahead of them. */
  inMemory(version: VersionRow): VersionRow {
    return this.#keyring.version(version.versionId) ?? version;
  }

  /** Returns true if imported material has expired at `now` (epoch milliseconds). */
  isExpired(version: VersionRow, now: number): boolean {
    return isExpired(version, this.#keyring.expiryTime(now));
  }

  /** Returns a key's current version if the key is Enabled. Throws DisabledException or KMSInvalidStateException. */
  usable(key: KeyRow, now: number): UsableKey {
    const arn = this.arn(key);
    const state = this.state(key, now);
    const version = this.current(key);
    if (state !== "Enabled") throw stateError(state, arn);
    if (version === undefined) throw stateError("Creating", arn);
    return { key, arn, version };
  }

  /** Returns the key's current version as `usable` does. Throws InvalidKeyUsageException for another usage. */
  usableFor(key: KeyRow, usage: KeyUsage, now: number): UsableKey {
    const usable = this.usable(key, now);
    refuseOtherUsage(usable, usage);
    return usable;
  }

  /**
   * Returns a version that a ciphertext names, if it is a version of this key and may be used. Throws as
   * `usable` does, InvalidCiphertextException if the key has no such version, and VersionDestroyed if the
   * version was destroyed.
   */
  usableVersion(key: KeyRow, versionId: string, now: number): UsableKey {
    const { arn } = this.usable(key, now);
    const tombstone = this.#keyring.destroyed(versionId);
    if (tombstone !== undefined) throw destroyedError(tombstone);
    const version = this.#keyring.version(versionId);
    if (version === undefined || !this.#isOwn(version, key)) return this.absent(invalidCiphertext());
    const refusal = useRefusal(this.#keyring, version, now);
    if (refusal?.code === "MaterialExpired") throw stateError("PendingImport", arn);
    if (refusal !== undefined) throw refusal;
    return { key, arn, version };
  }

  /** Returns a version's material. Throws SealUnavailable, SealMismatch or VersionDestroyed. */
  material(version: VersionRow): Promise<Secret> {
    return this.#keyring.material(version);
  }

  /** Returns the id of a version's material, 64 hex digits. Throws as `material` does. */
  async materialId(version: VersionRow): Promise<string> {
    const known = version.materialId ?? this.#materialIds.get(version);
    if (known !== undefined) return known;
    const id = materialId(version.keyId, await this.material(version));
    this.#materialIds.set(version, id);
    return id;
  }

  /** A key whose current version was destroyed is gone for good. */
  #isDestroyed({ current }: KeyRow): boolean {
    return current !== undefined && this.#keyring.destroyed(current.versionId) !== undefined;
  }

  /** A MasterKey that merely claims the keyId of a version is not its owner. */
  #isOwn(version: VersionRow, key: KeyRow): boolean {
    const owner = this.#keyring.owner(version);
    return owner !== undefined && nameText(owner) === nameText(key);
  }

  #row(named: NamedKey): KeyRow | undefined {
    if ("alias" in named && this.#keyring.isRemoved(named.alias)) return undefined;
    try {
      const key = findKey(this.#keyring, named);
      return this.#isDestroyed(key) ? undefined : key;
    } catch (error) {
      if (error instanceof ClavigerError) return undefined;
      throw error;
    }
  }

  /**
   * Throws `error`, or an error after which clients retry if the keyring cannot be read at present, or does not have
   * all keys yet.
   */
  absent(error: AwsError): never {
    const { problem, hasHadAllKeys } = this.#keyring;
    if (problem === undefined && hasHadAllKeys) throw error;
    const why =
      problem === undefined
        ? "The operator of this node has not recorded all keys yet. Retry, or see whether it runs."
        : "The keyring of this node cannot be read at present. Retry, or see the log of claviger api.";
    throw new AwsError("DependencyTimeoutException", why, { cause: problem });
  }
}

function notRecorded(arn: string): never {
  throw new AwsError(
    "DependencyTimeoutException",
    `The operator of this node has not recorded the details of ${arn} yet. Retry, or see its log.`,
  );
}

function refuseOtherUsage({ version, arn }: UsableKey, usage: KeyUsage): void {
  if (version.keyUsage === usage) return;
  throw new AwsError(
    "InvalidKeyUsageException",
    `${arn} key usage is ${version.keyUsage} which is not valid for this operation.`,
  );
}

/** Returns the one answer for every ciphertext that does not open, so that nobody learns from the difference. */
export const invalidCiphertext = (): AwsError =>
  new AwsError(
    "InvalidCiphertextException",
    "The ciphertext is altered, incomplete, or not for this key and encryption context.",
  );
