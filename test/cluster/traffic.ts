import { setTimeout as sleep } from "node:timers/promises";
import type { ApiServer } from "../controlplane/apiserver.ts";

/** Without a pause between two calls of a lane, one test's traffic would take all that two processors have. */
const PAUSE_MILLISECONDS = 100;
const SECRETS = "/api/v1/namespaces/default/secrets";

/** Runs `work` for 0…count-1, `width` at once. */
export async function inParallel(
  count: number,
  width: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** Creates Secrets seed-0…, eight at once. */
export async function createSecrets(server: ApiServer, count: number, prefix = "seed"): Promise<void> {
  await inParallel(count, 8, async (index) => {
    const body = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: `${prefix}-${index}` },
      stringData: { value: `text of ${prefix}-${index}` },
    };
    const { status, body: answer } = await server.request("POST", SECRETS, { body });
    if (status !== 201)
      throw new Error(`secret ${prefix}-${index}: HTTP ${status} ${JSON.stringify(answer).slice(0, 200)}`);
  });
}

export interface Counts {
  readonly reads: number;
  readonly writes: number;
  readonly errors: readonly string[];
}

/**
 * Reads and writes Secrets through every given API server all the time, as the workloads of a cluster would,
 * and counts failures. Every other read goes past the watch cache.
 */
export class Traffic implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #lanes: Promise<void>[];
  #reads = 0;
  #writes = 0;
  readonly #errors: string[] = [];

  constructor(servers: readonly ApiServer[], seeds: number) {
    this.#lanes = servers.flatMap((server, index) => [this.#read(server, seeds), this.#write(server, index)]);
  }

  async stop(): Promise<Counts> {
    this.#stop.abort();
    await Promise.all(this.#lanes);
    return { reads: this.#reads, writes: this.#writes, errors: this.#errors };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #read(server: ApiServer, seeds: number): Promise<void> {
    for (let index = 0; !this.#stop.signal.aborted; index += 1) {
      const fresh = index % 2 === 0 ? "" : "?resourceVersion=0";
      const name = `seed-${(index * 7) % seeds}`;
      const { status, body } = await answerOf(server.request("GET", `${SECRETS}/${name}${fresh}`));
      const expected = Buffer.from(`text of ${name}`).toString("base64");
      if (status !== 200 || textOf(body) !== expected) this.#note("read", name, status, body);
      this.#reads += 1;
      await sleep(PAUSE_MILLISECONDS);
    }
  }

  async #write(server: ApiServer, lane: number): Promise<void> {
    const path = `${SECRETS}/written-${lane}`;
    for (let index = 0; !this.#stop.signal.aborted; index += 1) {
      const object = {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: `written-${lane}` },
        stringData: { value: String(index) },
      };
      const call = server.request("PATCH", `${path}?fieldManager=writer&force=true`, {
        body: object,
        contentType: "application/apply-patch+yaml",
      });
      const { status, body } = await answerOf(call);
      if (status !== 200 && status !== 201) this.#note("write", path, status, body);
      this.#writes += 1;
      await sleep(PAUSE_MILLISECONDS);
    }
  }

  #note(what: string, object: string, status: number, body: unknown): void {
    this.#errors.push(`${what} of ${object}: HTTP ${status} ${JSON.stringify(body).slice(0, 300)}`);
  }
}

/** A broken connection counts as an answer of status 0. */
const answerOf = (call: ReturnType<ApiServer["request"]>): Promise<{ status: number; body: unknown }> =>
  call.catch((error: unknown) => ({ status: 0, body: String(error) }));

const textOf = (secret: unknown): string | undefined =>
  (secret as { readonly data?: { readonly value?: string } }).data?.value;

/**
 * Probes /readyz of the API servers all the time. Each probe makes them ask for Status again after 20 s at
 * most; without probes they would wait for a minute.
 */
export class Probes {
  readonly #stop = new AbortController();
  readonly #done: Promise<unknown>;

  constructor(servers: readonly ApiServer[]) {
    this.#done = Promise.all(servers.map((server) => this.#probe(server)));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #probe(server: ApiServer): Promise<void> {
    while (!this.#stop.signal.aborted) {
      // Some tests have a server that is down at the moment.
      await server.request("GET", "/readyz").catch(() => undefined);
      await sleep(1_000);
    }
  }
}

/** Writes the same Secret through an API server all the time. */
export class SecretWriter implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  readonly #errors: string[] = [];
  writes = 0;

  constructor(server: ApiServer, name: string) {
    this.#done = this.#run(server, name);
  }

  /** Stops, and returns the failures. */
  async stop(): Promise<readonly string[]> {
    this.#stop.abort();
    await this.#done;
    return this.#errors;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(server: ApiServer, name: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const body = {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name },
        stringData: { value: String(this.writes) },
      };
      const { status, body: answer } = await answerOf(
        server.request("PATCH", `${SECRETS}/${name}?fieldManager=writer&force=true`, {
          body,
          contentType: "application/apply-patch+yaml",
        }),
      );
      if (status !== 200 && status !== 201)
        this.#errors.push(`HTTP ${status} ${JSON.stringify(answer).slice(0, 300)}`);
      this.writes += 1;
      await sleep(PAUSE_MILLISECONDS);
    }
  }
}
