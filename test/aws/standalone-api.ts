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
  readonly #clients: KMSClient[] = [];

  private constructor(installation: Installation, endpoint: string) {
    this.installation = installation;
    this.endpoint = endpoint;
  }

  /** Creates the installation and writes more manifests into it. Starts nothing. */
  static async create(...manifests: readonly object[]): Promise<StandaloneApi> {
    const installation = await Installation.createWhole();
    const listen = await freeAddress();
    await installation.configure((config) => ({
      ...config,
      aws: { listen, credentials: "./state/credentials.yaml" },
    }));
    if (manifests.length > 0) await installation.manifest("more.yaml", ...manifests);
    return new StandaloneApi(installation, `http://${listen}`);
  }

  /** Starts `serve` and waits until the API answers for a key. */
  async start(keyName = "alias/orders") {
    const run = await this.installation.start("serve");
    await eventually(`the API has ${keyName}`, async () => {
      if (!run.process.alive) run.process.mustLive();
      const client = await this.client();
      const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: keyName }));
      return KeyMetadata?.KeyState === "Enabled" || undefined;
    });
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
