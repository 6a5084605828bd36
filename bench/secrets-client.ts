import { randomBytes } from "node:crypto";
import type { ApiServer } from "../test/controlplane/apiserver.ts";
import { ApiClient } from "./api-client.ts";
import type { Scale } from "./scale.ts";

const CONNECTIONS = 8;
/** 1 KiB in base64. */
const SECRET_BYTES = 768;
/** Names of Secrets: the first rounds, which are listed; the later rounds; and those of no round. */
const LISTED = "listed";
const LATER = "later";
const WARM_UP = "warm-up";

/** Reads and writes the Secrets of one API server. Times are in milliseconds. */
export class SecretsClient {
  readonly #server: ApiServer;
  readonly #scale: Scale["secrets"];
  #api: ApiClient;
  /** A revision from before the restarts. */
  #revision = "";

  private constructor(server: ApiServer, scale: Scale["secrets"], api: ApiClient) {
    this.#server = server;
    this.#scale = scale;
    this.#api = api;
  }

  static async create(server: ApiServer, scale: Scale["secrets"]): Promise<SecretsClient> {
    const client = new SecretsClient(server, scale, await ApiClient.create(server, CONNECTIONS));
    for (const name of [LISTED, LATER, WARM_UP]) {
      await client.#api.send("POST", "/api/v1/namespaces", JSON.stringify({ metadata: { name } }));
    }
    return client;
  }

  close(): void {
    this.#api.close();
  }

  /** Opens the connections, and lets V8 compile the client's code. */
  async warmUp(): Promise<void> {
    await this.#createIn(WARM_UP, "w", this.#scale.perRound);
  }

  /** Creates the Secrets of one round. Resolves with creates per second. */
  create(round: number): Promise<number> {
    return this.#createIn(this.#namespaceOf(round), `r${round}`, this.#scale.perRound);
  }

  /**
   * Reads the Secrets of one round, each by its name, which the API server reads from etcd. Resolves with
   * reads per second.
   */
  get(round: number): Promise<number> {
    const folder = `${secretsPath(this.#namespaceOf(round))}/r${round}`;
    return this.#api.rate(this.#scale.perRound, (index) => this.#api.send("GET", `${folder}-${index}`));
  }

  list(): Promise<number> {
    return this.#timeList("");
  }

  /** Remembers the present revision, and writes once more, so that the newest snapshot is a later one. */
  async markRevision(): Promise<void> {
    const list = JSON.parse(String(await this.#api.send("GET", `${secretsPath(LISTED)}?limit=1`)));
    this.#revision = String(list.metadata.resourceVersion);
    await this.#createIn(WARM_UP, "mark", 1);
  }

  /**
   * Lists as of the marked revision. It is older than the watch cache of a restarted API server, so the list
   * comes from etcd.
   */
  listFromEtcd(): Promise<number> {
    return this.#timeList(`?resourceVersion=${this.#revision}&resourceVersionMatch=Exact`);
  }

  /** Measures the time from the start of a new API server to the end of the first successful list. */
  async restartToList(): Promise<number> {
    await this.#server.stop();
    this.#api.close();
    const begun = performance.now();
    await this.#server.start();
    await this.#server.ready(secretsPath(LISTED), { every: 20 });
    const elapsed = performance.now() - begun;
    await this.#server.ready();
    this.#api = await ApiClient.create(this.#server, CONNECTIONS);
    return elapsed;
  }

  #namespaceOf(round: number): string {
    return round * this.#scale.perRound < this.#scale.listed ? LISTED : LATER;
  }

  #createIn(namespace: string, prefix: string, count: number): Promise<number> {
    // Created before, so that only the calls are timed.
    const bodies = Array.from({ length: count }, (_, index) =>
      JSON.stringify({
        metadata: { name: `${prefix}-${index}` },
        data: { value: randomBytes(SECRET_BYTES).toString("base64") },
      }),
    );
    return this.#api.rate(count, (index) => this.#api.send("POST", secretsPath(namespace), bodies[index]));
  }

  async #timeList(query: string): Promise<number> {
    const begun = performance.now();
    const body = await this.#api.send("GET", `${secretsPath(LISTED)}${query}`);
    const elapsed = performance.now() - begun;
    const { length } = JSON.parse(String(body)).items;
    if (length !== this.#scale.listed)
      throw new Error(`a list has ${length} Secrets, not ${this.#scale.listed}`);
    return elapsed;
  }
}

const secretsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;
