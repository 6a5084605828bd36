import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parse, stringify } from "yaml";
import { signedHeaders } from "../../src/testing/aws-signer.ts";
import { freeAddress } from "../../src/testing/free-address.ts";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { eventually } from "../controlplane/wait.ts";
import { ROOT } from "../docs/markdown.ts";
import { FaultProxy } from "./fault-proxy.ts";
import type { ClavigerNode } from "./node.ts";
import { shortCertificate } from "./short-certificate.ts";

const CREDENTIAL = {
  accessKeyId: "CLAV0123456789ABCDEF",
  secretAccessKey: "a-secret-of-the-alerts-test",
};

export interface DoomedApiOptions {
  readonly node: ClavigerNode;
  readonly folder: string;
  /** The address of its metrics. */
  readonly metrics: string;
  /** The kubeconfig of a user who may ask who may do what. */
  readonly kubeconfig: string;
}

/**
 * An AWS KMS API with the keys of a node, and a certificate that soon expires. It has a keyring of its own, which a
 * test can take away, and an API server that a test can have hang.
 */
export class DoomedApi {
  readonly #process: RunningProcess;
  readonly #proxy: FaultProxy;
  readonly #keyring: string;
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, rejectUnauthorized: false });

  private constructor(process: RunningProcess, proxy: FaultProxy, keyring: string, port: number) {
    this.#process = process;
    this.#proxy = proxy;
    this.#keyring = keyring;
    this.#port = port;
  }

  /** Starts it, and waits until it answers. */
  static async start({ node, folder, metrics, kubeconfig }: DoomedApiOptions): Promise<DoomedApi> {
    const dir = join(folder, "api");
    const stateDir = join(dir, "state");
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const keyring = join(stateDir, "keyring.db");
    copyKeyring(node.keyringPath, keyring);
    await chmod(keyring, 0o600);
    const proxy = await FaultProxy.before(kubeconfig);
    const listen = await freeAddress();
    const credentials = join(dir, "credentials.yaml");
    const user = { ...CREDENTIAL, user: "alice", groups: ["system:masters"] };
    await writeFile(credentials, stringify([user]), { mode: 0o600 });
    const tls = shortCertificate(dir, 5);
    await Promise.all([tls.key, tls.cert].map((path) => chmod(path, 0o600)));
    const configPath = join(node.dir, "api.yaml");
    const config = {
      ...parse(await readFile(node.configPath, "utf8")),
      ...{ stateDir, metrics: { apiListen: metrics } },
      // The folder of the log is not there, so that no record can be written.
      audit: { path: join(dir, "missing", "audit.jsonl"), unavailable: "continue" },
      aws: { listen, tls, credentials, kubeconfig: proxy.kubeconfig, workers: 1 },
    };
    await writeFile(configPath, stringify(config));
    const args = [join(ROOT, "bin", "claviger.js"), "api", "--config", configPath];
    const log = join(dir, "api.log");
    const started = await startProcess({ name: "api", binary: process.execPath, args, log, home: dir });
    const api = new DoomedApi(started, proxy, keyring, Number(listen.split(":")[1]));
    await eventually("the API answers", async () => (await api.send("ListKeys")) === 200 || undefined);
    return api;
  }

  /** Sends a request, and returns the status of the answer. */
  async send(operation: string, input: object = {}): Promise<number> {
    const body = JSON.stringify(input);
    const target = {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `TrentService.${operation}`,
    };
    const headers = await signedHeaders({ ...CREDENTIAL, body, at: Date.now(), headers: target });
    return new Promise((resolve, reject) => {
      const to = { host: "127.0.0.1", port: this.#port, method: "POST", agent: this.#agent };
      const sent = request({ ...to, headers }, (answer) => {
        answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
      });
      sent.once("error", reject).end(body);
    });
  }

  /** From now on no question about access is answered. */
  hangReviews(): void {
    const heldUntil = new Promise<void>(() => undefined);
    this.#proxy.fault = ({ path }) => (path.endsWith("/subjectaccessreviews") ? { heldUntil } : undefined);
  }

  /** Takes the keyring away. */
  loseKeyring(): Promise<void> {
    return rm(this.#keyring);
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#process.stop();
    this.#proxy.close();
  }
}

/** A copy of the file alone would lack what is in the WAL. */
function copyKeyring(from: string, to: string): void {
  const database = new DatabaseSync(from, { readOnly: true });
  database.prepare("VACUUM INTO ?").run(to);
  database.close();
}
