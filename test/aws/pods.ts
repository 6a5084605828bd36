import { sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KMSClient } from "@aws-sdk/client-kms";
import { vi } from "vitest";
import type { Cluster } from "../cluster/cluster.ts";

export const AUDIENCE = "kms.claviger.dev";

/** The role of a ServiceAccount. */
export const roleOf = (namespace: string, name: string): string =>
  `arn:aws:iam::000000000000:role/${namespace}/${name}`;

interface PodOptions {
  readonly token?: string;
  /** The role that the pod asks for; its ServiceAccount's own if left out. */
  readonly role?: string;
  /** The address of the API that the pod uses; that of the first node if left out. */
  readonly endpoint?: string;
}

/** Clients of the AWS KMS API as pods have them: a projected token, and the SDK's environment variables. */
export class Pods implements Disposable {
  /** Tokens and credentials, which no log may have. */
  readonly secrets: string[] = [];
  readonly #cluster: Cluster;
  /** The address of the first node's API. */
  readonly endpoint: string;
  readonly #namespace: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "clv-pods-"));
  readonly #clients: KMSClient[] = [];

  constructor(cluster: Cluster, endpoint: string, namespace: string) {
    this.#cluster = cluster;
    this.endpoint = endpoint;
    this.#namespace = namespace;
  }

  /** Returns a token that the API server makes for a ServiceAccount (TokenRequest). */
  async token(name: string, audience = AUDIENCE): Promise<string> {
    const path = `/api/v1/namespaces/${this.#namespace}/serviceaccounts/${name}/token`;
    const spec = { audiences: [audience], expirationSeconds: 600 };
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec };
    const answer = await this.#cluster.plane.apiServers[0]?.request("POST", path, { body });
    const made = JSON.parse(JSON.stringify(answer?.body)).status.token;
    this.secrets.push(made);
    return made;
  }

  /** Returns a token with a genuine signature that expired a minute ago. */
  async expiredToken(name: string): Promise<string> {
    const [header, payload = ""] = (await this.token(name)).split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    const exp = Math.floor(Date.now() / 1000) - 60;
    const late = Buffer.from(JSON.stringify({ ...claims, iat: exp - 600, nbf: exp - 600, exp }));
    const signed = `${header}.${late.toString("base64url")}`;
    const key = await readFile(join(this.#cluster.plane.dir, "sa.key"), "utf8");
    const signature = sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" });
    return `${signed}.${signature.toString("base64url")}`;
  }

  /** Returns the SDK's client in a pod of a ServiceAccount, with its session. Rejects if it gets no session. */
  async start(
    name: string,
    { token, role = roleOf(this.#namespace, name), endpoint = this.endpoint }: PodOptions = {},
  ) {
    const file = join(this.#folder, `${name}-${this.#clients.length}.token`);
    await writeFile(file, token ?? (await this.token(name)), { mode: 0o600 });
    return this.#client({
      ...{ AWS_ROLE_ARN: role, AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_REGION: "us-local-1" },
      ...{ AWS_ENDPOINT_URL_KMS: endpoint, AWS_ENDPOINT_URL_STS: endpoint },
    });
  }

  /** Returns a client of another API with a client's session. */
  elsewhere({ config: { credentials } }: KMSClient, endpoint: string): KMSClient {
    const client = new KMSClient({ endpoint, credentials, region: "us-local-1", maxAttempts: 1 });
    this.#clients.push(client);
    return client;
  }

  /** Returns the SDK's client of a person whose profile has claviger credentials as its credential_process. */
  async startPerson(name: string, kubeconfig: string): Promise<KMSClient> {
    const file = join(this.#folder, "config");
    const command = [
      process.execPath,
      join(import.meta.dirname, "..", "..", "bin", "claviger.js"),
      "credentials",
    ];
    const args = [`${this.#namespace}/${name}`, "--endpoint", this.endpoint, "--kubeconfig", kubeconfig];
    const profile = `region = us-local-1\ncredential_process = ${[...command, ...args].join(" ")}\n`;
    await writeFile(file, `[profile person]\n${profile}`);
    const environment = { AWS_CONFIG_FILE: file, AWS_PROFILE: "person" };
    return this.#client({ ...environment, AWS_ENDPOINT_URL_KMS: this.endpoint });
  }

  async #client(environment: Readonly<Record<string, string>>): Promise<KMSClient> {
    vi.unstubAllEnvs();
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const client = new KMSClient({});
    this.#clients.push(client);
    const { secretAccessKey, sessionToken = "" } = await client.config.credentials();
    this.secrets.push(secretAccessKey, sessionToken);
    return client;
  }

  [Symbol.dispose](): void {
    vi.unstubAllEnvs();
    for (const client of this.#clients) client.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
