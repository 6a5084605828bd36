import { mkdir, readFile, writeFile } from "node:fs/promises";
import { Agent } from "node:https";
import { join } from "node:path";
import { onHost } from "./hostname.ts";
import { call, type HttpsReply } from "./https.ts";
import type { Identities, User } from "./identities.ts";
import { freePort } from "./ports.ts";
import { type RunningProcess, startProcess } from "./processes.ts";
import { putServingCertificate } from "./serving-certificate.ts";
import { eventually, type Patience } from "./wait.ts";

export interface ApiServerOptions {
  readonly binary: string;
  /** Its own folder, for its certificate, its kubeconfigs and its log; created if necessary. */
  readonly dir: string;
  readonly etcd: string;
  readonly identities: Identities;
  /** The path of an EncryptionConfiguration, which is reloaded when it changes. */
  readonly encryptionConfig?: string | undefined;
  /** Further command-line flags. */
  readonly flags?: readonly string[];
  /** The name of its host; this machine's name if left out. */
  readonly hostname?: string | undefined;
}

export interface ApiCall {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** The bearer token; the admin's if left out. */
  readonly token?: string;
  /** The content type of the body; a PATCH needs one of the patch types. */
  readonly contentType?: string;
  /** The timeout of the whole call, in milliseconds. */
  readonly deadline?: number;
}

/** A kube-apiserver on loopback, which keeps its port and its certificate over restarts. */
export class ApiServer {
  readonly url: string;
  readonly dir: string;
  readonly users: readonly User[];
  /** The admin's bearer token. */
  readonly token: string;
  readonly #options: ApiServerOptions;
  readonly #port: number;
  #process: RunningProcess | undefined;
  #agent = new Agent({ keepAlive: true });
  #provenCa: string | undefined;

  private constructor(options: ApiServerOptions, port: number) {
    this.#options = options;
    this.#port = port;
    this.url = `https://127.0.0.1:${port}`;
    this.dir = options.dir;
    this.users = options.identities.users;
    this.token = options.identities.admin.token;
  }

  /** Picks a port; `start` starts the server. */
  static async create(options: ApiServerOptions): Promise<ApiServer> {
    await mkdir(options.dir, { recursive: true });
    putServingCertificate(options.dir, "apiserver");
    return new ApiServer(options, await freePort());
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get log(): string {
    return join(this.dir, "kube-apiserver.log");
  }

  /** Returns the PEM certificates that verify this server, which exist after its first start. */
  ca(): Promise<string> {
    return readFile(join(this.dir, "apiserver.crt"), "utf8");
  }

  /**
   * Starts the process without waiting until it serves: `ready` does that. `more` are flags for this start
   * only.
   */
  async start(more: readonly string[] = []): Promise<void> {
    // Connections to the former process would make the first calls to this process fail.
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true });
    const { binary, hostname } = this.#options;
    const plain = { binary, args: [...flags(this.#options, this.#port), ...more] };
    this.#process = await startProcess({
      name: "kube-apiserver",
      ...(hostname === undefined ? plain : onHost(hostname, plain)),
      log: this.log,
      home: this.dir,
    });
  }

  /**
   * Waits until a GET of `path` by the admin returns 200. "/readyz" also asks the KMS plugins and etcd;
   * "/readyz?exclude=…", "/livez" or an object's path ask for less.
   */
  async ready(path = "/readyz", patience?: Patience): Promise<void> {
    await eventually(
      `${this.url} answers ${path}`,
      async () => {
        this.#process?.mustLive();
        const { status, body } = await this.request("GET", path, { deadline: 10_000 });
        if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
        return true;
      },
      patience,
    );
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#process?.stop();
  }

  /** Ends the server as a crash would. */
  async kill9(): Promise<void> {
    this.#agent.destroy();
    await this.#process?.kill9();
  }

  /** Stops and starts on the same port. Use `ready` to wait until it serves again. */
  async restart(more: readonly string[] = []): Promise<void> {
    await this.stop();
    await this.start(more);
  }

  /** Makes an API call. Any answer of the server resolves, and a failed connection rejects. */
  async request(method: string, path: string, options: ApiCall = {}): Promise<HttpsReply> {
    const { body, token = this.token, contentType = "application/json", deadline } = options;
    const ca = this.#provenCa ?? (await this.ca());
    const reply = await call(`${this.url}${path}`, {
      method,
      ca,
      agent: this.#agent,
      headers: { authorization: `Bearer ${token}`, "content-type": contentType },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(deadline === undefined ? {} : { deadline }),
    });
    // Kept only now: at the first start, the server may still have been writing the file.
    this.#provenCa = ca;
    return reply;
  }

  /** Writes a kubeconfig for the user of that name (the admin if left out) and returns its path. */
  async kubeconfig(name = "admin"): Promise<string> {
    const user = this.users.find((candidate) => candidate.name === name);
    if (user === undefined) throw new Error(`no user ${name} in the token file`);
    const ca = Buffer.from(await this.ca()).toString("base64");
    const path = join(this.dir, `${name.replaceAll(/[^\w-]/g, "_")}.kubeconfig`);
    // JSON is YAML too.
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster: { server: this.url, "certificate-authority-data": ca } }],
      users: [{ name, user: { token: user.token } }],
      contexts: [{ name: "test", context: { cluster: "test", user: name } }],
      "current-context": "test",
    };
    await writeFile(path, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 });
    return path;
  }
}

function flags(options: ApiServerOptions, port: number): string[] {
  const { dir, etcd, identities, encryptionConfig, flags: more = [] } = options;
  const encryption = [
    `--encryption-provider-config=${encryptionConfig}`,
    "--encryption-provider-config-automatic-reload=true",
  ];
  return [
    `--etcd-servers=${etcd}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    `--secure-port=${port}`,
    `--cert-dir=${dir}`,
    `--token-auth-file=${identities.tokenFile}`,
    "--authorization-mode=RBAC",
    "--service-cluster-ip-range=10.96.0.0/16",
    // All servers share one issuer and key pair, so a token of one server is valid at the others.
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${identities.serviceAccountPublicKey}`,
    `--service-account-signing-key-file=${identities.serviceAccountKey}`,
    // Several servers at one loopback address would overwrite each other's endpoints of "kubernetes".
    "--endpoint-reconciler-type=none",
    // Otherwise a stop waits for open watches, for more than half a minute.
    "--shutdown-watch-termination-grace-period=1s",
    // An eighth of a start's processor time; clients as few as a test's never queue for it.
    "--enable-priority-and-fairness=false",
    ...(encryptionConfig === undefined ? [] : encryption),
    ...more,
  ];
}
