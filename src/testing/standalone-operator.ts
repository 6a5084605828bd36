/** A standalone operator in this process, whose folder of manifests the AWS-compatible API changes. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Caller } from "../aws/caller.ts";
import { AwsGrants } from "../aws/grants/aws-grants.ts";
import { AwsKeys } from "../aws/keys/aws-keys.ts";
import { FolderObjects } from "../aws/management/folder-objects.ts";
import type { Operation, Request } from "../aws/operations/operation.ts";
import { UsageKeeper } from "../aws/usage/usage-keeper.ts";
import { readConfig } from "../config/config.ts";
import { LiveKeyring } from "../keyring/live/live-keyring.ts";
import type { KeyRow } from "../keyring/rows.ts";
import { KEYRING_FILE } from "../keyring/state-folder.ts";
import { runOperator } from "../operator/operator.ts";
import { openSeals } from "../seal/open-seals.ts";
import { ALICE, SITE } from "./aws-keyring.ts";

export class StandaloneOperator {
  readonly folder: string;
  readonly objects: FolderObjects;
  readonly keys: AwsKeys;
  readonly grants: AwsGrants;
  /** The lines that the operator has logged. */
  readonly log: string[] = [];
  readonly #base = mkdtempSync(join(tmpdir(), "claviger-standalone-"));
  readonly #keyring: LiveKeyring;
  readonly #umask = process.umask();
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor() {
    this.folder = join(this.#base, "keys");
    mkdirSync(this.folder);
    const path = join(this.#base, "claviger.yaml");
    writeFileSync(
      path,
      JSON.stringify({
        ...{ apiVersion: "config.claviger.dev/v1alpha1", kind: "NodeConfig", nodeName: "node-1" },
        ...{ stateDir: "./state", seal: { file: { path: "./root.key" } }, manifests: "./keys" },
        providers: [{ name: "secrets", socket: "./secrets.sock", key: "claviger-system/secrets" }],
      }),
    );
    const config = readConfig(path);
    this.#ended = runOperator(config, (_, message) => this.log.push(message), this.#stop.signal);
    const keyring = join(config.stateDir, KEYRING_FILE);
    this.objects = new FolderObjects({ folder: this.folder, keyring });
    this.#keyring = new LiveKeyring(keyring, openSeals(config));
    this.#keyring.start();
    this.grants = new AwsGrants(this.#keyring, openSeals(config));
    this.grants.start();
    const usage = new UsageKeeper({ stateDir: config.stateDir, log: () => {}, now: Date.now() });
    this.keys = new AwsKeys(this.#keyring, SITE, usage);
  }

  /** Writes a manifest, as somebody with an editor does. */
  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  /** Returns the text of the only manifest that contains `part`. */
  manifestWith(part: string): string {
    const texts = readdirSync(this.folder).map((name) => readFileSync(join(this.folder, name), "utf8"));
    const found = texts.filter((text) => text.includes(part));
    if (found.length !== 1) throw new Error(`${found.length} manifests have ${part}`);
    return found[0] ?? "";
  }

  /** Returns the row of a key, once its first version encrypts. */
  async key(name: string, namespace = "apps"): Promise<KeyRow> {
    for (;;) {
      const row = this.keys.named({ namespace, name });
      if (row?.current !== undefined) return row;
      await sleep(20);
    }
  }

  /** Returns the state of a key as the next request finds it. */
  state(keyId: string): string {
    return this.keys.state(this.keys.find(keyId, ALICE), Date.now());
  }

  /** Runs an operation as the API does after it has allowed the request. */
  async run<I, O>(operation: Operation<I, O>, input: I, caller: Caller = ALICE): Promise<O> {
    const request: Request<I> = { id: "request-1", caller, input, now: Date.now() };
    operation.needs(request, this.keys);
    return (await operation.prepare(request, this.keys))();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    process.umask(this.#umask);
    this.grants.close();
    this.#keyring.close();
    rmSync(this.#base, { recursive: true });
  }
}
