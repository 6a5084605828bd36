import { kmsKeyId } from "../../crypto/ids.ts";
import { type KeyRef, keyRefText } from "../../keyring/live-keyring.ts";
import { isLater, type ObservationRow } from "../../keyring/rows.ts";
import type { SocketScope } from "../../storage/scope.ts";
import { NAMESPACE, type Used } from "./etcd.ts";
import type { Current, ModelKeyring } from "./model-keyring.ts";

export interface SocketConfig {
  readonly name: string;
  readonly socket: string;
  readonly ref: KeyRef;
  readonly scope: SocketScope;
}

/** As the plugin's Provider has it. */
const SETTLE_MILLISECONDS = 240_000;

/** What every node has: a socket of a key, and one of an alias with two entries. */
export const SOCKETS: readonly SocketConfig[] = [
  {
    name: "direct",
    socket: "/run/direct.sock",
    ref: { key: { namespace: NAMESPACE, name: "secrets" } },
    scope: { entries: 1, resources: ["secrets"], reads: ["secrets"] },
  },
  {
    name: "aliased",
    socket: "/run/aliased.sock",
    ref: { alias: { namespace: NAMESPACE, name: "main" } },
    scope: { entries: 2, resources: ["configmaps", "leases"], reads: ["configmaps", "leases"] },
  },
];

/** What the plugin's Provider does for a socket, without material. */
export class ModelSocket {
  readonly config: SocketConfig;
  readonly #keyring: ModelKeyring;
  #serving: (Current & Pick<ObservationRow, "kmsKeyId" | "servingSince" | "encrypts">) | undefined;
  readonly #left = new Set<string>();
  /** The versions whose key_ids Status ever answered, restarts included. */
  readonly #ever: string[] = [];
  #episodes = 0;

  constructor(config: SocketConfig, keyring: ModelKeyring) {
    this.config = config;
    this.#keyring = keyring;
  }

  get serving(): (Current & Pick<Used, "kmsKeyId">) | undefined {
    return this.#serving;
  }

  /** Brings it in step with the keyring. Throws where a key_id returns. */
  follow(now: number): void {
    const current = this.#keyring.current(this.config.ref);
    if (current === undefined || current.version.versionId === this.#serving?.version.versionId) return;
    if (this.#wouldGoBack(current)) return;
    const { keyId, versionId } = current.version;
    if (this.#serving !== undefined) this.#left.add(this.#serving.version.versionId);
    this.#episodes += 1;
    this.#serving = { ...current, kmsKeyId: kmsKeyId(keyId, versionId), servingSince: now, encrypts: 0 };
    if (this.#ever.at(-1) === versionId) return;
    if (this.#ever.includes(versionId))
      throw new Error(`a key_id of ${keyRefText(this.config.ref)} returned`);
    this.#ever.push(versionId);
  }

  /** The process forgets what it left and observed. */
  restart(now: number): void {
    this.#serving = undefined;
    this.#left.clear();
    this.follow(now);
  }

  /** What Status answers; undefined where it answers an error. */
  status(): Used | undefined {
    if (this.#serving === undefined || this.#keyring.isRefused(this.#serving.version.keyId)) return undefined;
    return { kmsKeyId: this.#serving.kmsKeyId, versionId: this.#serving.version.versionId };
  }

  countEncrypt(): void {
    if (this.#serving !== undefined)
      this.#serving = { ...this.#serving, encrypts: this.#serving.encrypts + 1 };
  }

  /** Another one with each key_id and each start. */
  get episode(): string {
    return `${this.config.name} ${this.#episodes}`;
  }

  observation(now: number): ObservationRow[] {
    if (this.#serving === undefined) return [];
    const { kmsKeyId: id, servingSince, encrypts } = this.#serving;
    const settled = now - servingSince >= SETTLE_MILLISECONDS;
    return [{ provider: this.config.name, kmsKeyId: id, servingSince, encrypts, settled }];
  }

  #wouldGoBack({ version }: Current): boolean {
    const served = this.#serving?.version;
    if (served === undefined) return false;
    return (served.keyId === version.keyId && isLater(served, version)) || this.#left.has(version.versionId);
  }
}
