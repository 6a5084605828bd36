import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DescribeKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { parse } from "yaml";
import { freeAddress } from "../../src/testing/free-address.ts";
import { eventually } from "../controlplane/wait.ts";
import { Installation } from "../standalone/installation.ts";

/** The example with its AWS KMS API at a free address, and clients of it. */
export class StandaloneApi {
  readonly installation: Installation;
  readonly endpoint: string;
  /** HOST:PORT of its metrics. */
  readonly metrics: string;
  readonly #clients: KMSClient[] = [];

  private constructor(installation: Installation, endpoint: string, metrics: string) {
    this.installation = installation;
    this.endpoint = endpoint;
    this.metrics = metrics;
  }

  /** Creates the installation and writes more manifests into it. Starts nothing. */
  static async create(...manifests: readonly object[]): Promise<StandaloneApi> {
    const installation = await Installation.createWhole();
    const listen = await freeAddress();
    const metrics = await freeAddress();
    await installation.configure((config) => ({
      ...config,
      aws: { listen, credentials: "./state/credentials.yaml", workers: 1 },
      metrics: { apiListen: metrics },
    }));
    if (manifests.length > 0) await installation.manifest("more.yaml", ...manifests);
    return new StandaloneApi(installation, `http://${listen}`, metrics);
  }

  /** Sets the number of processes that answer, from the next start on. */
  setWorkers(workers: number): Promise<void> {
    return this.installation.configure(({ aws, ...config }) => ({
      ...config,
      ...(aws !== undefined && { aws: { ...aws, workers } }),
    }));
  }

  /** Starts `serve` and waits until the socket serves and the API has these keys. */
  async start(...keyNames: readonly string[]) {
    const run = await this.installation.start("serve");
    await this.installation.serving();
    for (const KeyId of ["alias/orders", ...keyNames]) {
      await eventually(`the API has ${KeyId}`, async () => {
        if (!run.process.alive) run.process.mustLive();
        const client = await this.client();
        const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId }));
        return KeyMetadata?.KeyState !== "Creating" || undefined;
      });
    }
    return run;
  }

  /** Returns a client with the credential that `serve` has made, or with another secret. */
  async client(secret?: string): Promise<KMSClient> {
    const path = join(this.installation.stateDir, "credentials.yaml");
    const [{ accessKeyId, secretAccessKey }] = parse(await readFile(path, "utf8"));
    const client = new KMSClient({
      endpoint: this.endpoint,
      region: "us-local-1",
      maxAttempts: 1,
      credentials: { accessKeyId, secretAccessKey: secret ?? secretAccessKey },
    });
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.installation[Symbol.asyncDispose]();
  }
}
