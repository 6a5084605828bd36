/** Keys in a real keyring.db, for tests of the AWS-compatible API. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Caller } from "../aws/caller.ts";
import { AwsGrants } from "../aws/grants/aws-grants.ts";
import { AwsKeys } from "../aws/keys/aws-keys.ts";
import type { Need, Operation, Request } from "../aws/operations/operation.ts";
import { awsErrorOf } from "../aws/service/claviger-error.ts";
import { UsageKeeper } from "../aws/usage/usage-keeper.ts";
import { newKeyId } from "../crypto/ids.ts";
import type { KeySpec } from "../crypto/key-specs.ts";
import type { KeyringChange, PutKey } from "../keyring/changes.ts";
import type { GrantRow } from "../keyring/grant-row.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import type { VersionRow } from "../keyring/rows.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { FOLLOWED_KINDS, type FollowedKind, recordFollowed } from "../keyring/tables/followed-kinds.ts";
import { type KeyDetails, putKeyDetails } from "../keyring/tables/key-details.ts";
import { putVersionDetails, type VersionDetails } from "../keyring/tables/version-details.ts";
import { KeyringWriter } from "../keyring/writer.ts";
import { sealVersion } from "../keys/seal-version.ts";
import type { ObjectName } from "../names.ts";
import { createRootKey } from "../seal/root-key-file.ts";
import type { SealSource } from "../seal/seal-source.ts";
import { materialFor, usageFor } from "./materials.ts";
import { sealsIn } from "./seals.ts";

export const SITE = { account: "000000000000", region: "us-local-1" };
export const NOW = Date.parse("2026-11-30T12:00:00Z");

export const ALICE: Caller = {
  arn: "arn:aws:iam::000000000000:user/alice",
  user: "alice",
  groups: ["system:masters"],
  namespace: "apps",
};

/** A keyring with a writer, as the operator has it, and the reader that the API has. */
export class AwsKeyring {
  readonly keys: AwsKeys;
  readonly usage: UsageKeeper;
  readonly grants: AwsGrants;
  readonly #folder = mkdtempSync(join(tmpdir(), "claviger-aws-"));
  readonly stateDir = join(this.#folder, "state");
  readonly #seals: SealSource;
  readonly #writer: KeyringWriter;
  readonly #keyring: LiveKeyring;

  /** With `isNew` the operator has not recorded all keys and grants yet: see `follow`. */
  constructor({ isNew = false } = {}) {
    const rootKey = join(this.#folder, "root.key");
    createRootKey(rootKey);
    this.#seals = sealsIn(rootKey);
    const state = this.stateDir;
    this.#writer = KeyringWriter.open(state);
    if (!isNew) this.follow(...FOLLOWED_KINDS);
    this.#keyring = new LiveKeyring(join(state, KEYRING_FILE), sealsIn(rootKey));
    this.grants = new AwsGrants(this.live, this.#seals);
    this.usage = new UsageKeeper({ stateDir: state, log: () => {}, now: NOW });
    this.keys = new AwsKeys(this.#keyring, SITE, this.usage);
  }

  /** Applies changes. They are seen at once if the reader has not started yet, else within a second. */
  apply(...changes: readonly KeyringChange[]): void {
    this.#writer.apply(changes);
  }

  /** The keyring as the API reads it. */
  get live(): LiveKeyring {
    return this.#keyring;
  }

  /** The folder with root.key and state. */
  get folder(): string {
    return this.#folder;
  }

  /** Begins to read. */
  start(): this {
    this.#keyring.start();
    this.grants.start();
    return this;
  }

  /** Records that all objects of these kinds are there, as the operator does. */
  follow(...kinds: readonly FollowedKind[]): void {
    for (const kind of kinds) recordFollowed(this.#writer, kind);
  }

  /** Records grants, as the operator does. */
  grant(...rows: readonly GrantRow[]): void {
    this.#writer.transaction(() => {
      for (const row of rows) this.#writer.grants.put(row);
    });
  }

  /** Records what describes a key and its versions, as the operator does. */
  describe({ namespace, name, keyId }: PutKey, details: Partial<KeyDetails> = {}): void {
    putKeyDetails(this.#writer, {
      ...{ namespace, name, keyId, createdAt: NOW, description: "", tags: {}, origin: "AWS_KMS" },
      ...{ keySpec: "SYMMETRIC_DEFAULT", keyUsage: "ENCRYPT_DECRYPT" },
      rotation: { enabled: false, periodInDays: 365 },
      ...details,
    });
  }

  /** Records when and why a version became current, as the operator does. */
  date(details: VersionDetails): void {
    putVersionDetails(this.#writer, details);
  }

  /** Adds a key without a version. */
  addKey(name: string, rest: Partial<PutKey> = {}): PutKey {
    const key = { namespace: "apps", name, keyId: newKeyId(), enabled: true, ...rest };
    this.apply({ kind: "putKey", key });
    return key;
  }

  /** Adds a version to a key and makes it current. */
  async addVersion(key: PutKey, rest: Partial<VersionRow> = {}): Promise<VersionRow> {
    const version = await this.addWaitingVersion(key, rest);
    this.apply({ kind: "setCurrent", key, version });
    return version;
  }

  /** Adds a version to a key that is not current yet. */
  async addWaitingVersion(key: PutKey, rest: Partial<VersionRow> = {}): Promise<VersionRow> {
    const keySpec: KeySpec = rest.keySpec ?? "SYMMETRIC_DEFAULT";
    using material = await materialFor(keySpec);
    const { keyId, namespace, name } = key;
    const version = await sealVersion(
      this.#seals,
      {
        keyId,
        number: 1,
        masterKey: { namespace, name },
        keySpec,
        keyUsage: usageFor(keySpec),
        origin: "AWS_KMS",
        ...rest,
      },
      material,
    );
    this.apply({ kind: "putVersion", version });
    return version;
  }

  /** Adds a key with one version. */
  async add(name: string, rest: Partial<PutKey> = {}, version: Partial<VersionRow> = {}): Promise<PutKey> {
    const key = this.addKey(name, rest);
    await this.addVersion(key, version);
    return key;
  }

  /** Destroys a version. The reader takes a tombstone without asking for its proof, as the operator has checked it. */
  destroy({ sealed: proof, ...identity }: VersionRow): void {
    const tombstone = { ...identity, destroyedAt: "2026-11-30T12:00:00Z", reason: "no longer needed", proof };
    this.apply({ kind: "destroyVersion", tombstone });
  }

  alias(name: string, masterKey: string, namespace = "apps"): void {
    const alias: ObjectName & { readonly masterKey: string } = { namespace, name, masterKey };
    this.apply({ kind: "putAlias", alias });
  }

  /** Runs an operation as the API does after it has allowed the request. Rejects with AwsError. */
  async run<I, O>(operation: Operation<I, O>, input: I, caller = ALICE, now = NOW): Promise<O> {
    const request: Request<I> = { id: "request-1", caller, input, now };
    try {
      operation.needs(request, this.keys);
      const work = await operation.prepare(request, this.keys);
      return await work();
    } catch (error) {
      throw awsErrorOf(error, request.id);
    }
  }

  /** Returns the permissions that a request needs. */
  needs<I, O>(operation: Operation<I, O>, input: I): readonly Need[] {
    return operation.needs({ id: "request-1", caller: ALICE, input, now: NOW }, this.keys);
  }

  /** Replaces the root key by another, before any material was opened. */
  spoilRootKey(): void {
    const path = join(this.#folder, "root.key");
    rmSync(path);
    createRootKey(path);
  }

  close(): void {
    this.grants.close();
    this.#keyring.close();
    this.#writer.close();
    rmSync(this.#folder, { recursive: true });
  }
}
