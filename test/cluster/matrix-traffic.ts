import { setTimeout as sleep } from "node:timers/promises";
import type { ApiServer } from "../controlplane/apiserver.ts";
import type { Ledger } from "./matrix-ledger.ts";
import {
  canRead,
  type PossibleChains,
  type Resource,
  resourcesOf,
  type Scenario,
} from "./matrix-scenarios.ts";

/** The pause between two calls of a lane, because two cores also run all API servers. */
const PAUSE_MILLISECONDS = 75;
/** The number of each writer's objects that are read again and again. */
const NEWEST = 4;
const EVERY_NEW = 5;

/**
 * An API server that clients use, except while it is restarted. They wait then, as behind a load balancer.
 */
export class Door {
  readonly server: ApiServer;
  #inside = 0;
  #outage: Promise<void> | undefined;
  #left: (() => void) | undefined;

  constructor(server: ApiServer) {
    this.server = server;
  }

  get open(): boolean {
    return this.#outage === undefined;
  }

  async use<T>(work: (server: ApiServer) => Promise<T>): Promise<T> {
    while (this.#outage !== undefined) await this.#outage;
    this.#inside += 1;
    try {
      return await work(this.server);
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#left?.();
    }
  }

  /** Begins when the last call is answered. */
  async outage(work: () => Promise<void>): Promise<void> {
    let over = () => {};
    this.#outage = new Promise((resolve) => {
      over = resolve;
    });
    try {
      if (this.#inside > 0) await new Promise<void>((resolve) => (this.#left = resolve));
      await work();
    } finally {
      this.#outage = undefined;
      over();
    }
  }
}

interface Written {
  readonly name: string;
  readonly text: string | undefined;
}

/** Writes and reads objects of every scenario through every API server all the time, and records failures. */
export class MatrixTraffic {
  readonly #doors: readonly Door[];
  readonly #scenarios: readonly Scenario[];
  readonly #chains: PossibleChains;
  readonly #ledger: Ledger;
  readonly #stop = new AbortController();
  /** Maps a resource and an API server's number to the objects last written there. */
  readonly #written = new Map<string, Written[]>();
  readonly #seeds = new Map<string, Written[]>();
  #lanes: Promise<unknown> = Promise.resolve();

  constructor(options: {
    readonly doors: readonly Door[];
    readonly scenarios: readonly Scenario[];
    readonly chains: PossibleChains;
    readonly ledger: Ledger;
  }) {
    this.#doors = options.doors;
    this.#scenarios = options.scenarios;
    this.#chains = options.chains;
    this.#ledger = options.ledger;
  }

  /** Creates the objects that only claviger rewrites. */
  async seed(count: number): Promise<void> {
    for (const scenario of this.#scenarios) {
      for (const resource of resourcesOf(scenario)) {
        const seeds = Array.from({ length: count }, (_, index) => ({
          name: `seed-${index}`,
          text: `seed ${index}`,
        }));
        for (const [index, seed] of seeds.entries()) {
          const door = this.#doors[index % this.#doors.length];
          await door?.use((server) => write(server, resource, seed));
        }
        this.#seeds.set(resource.pattern, seeds);
      }
    }
  }

  start(): void {
    const lanes = this.#doors.flatMap((door, index) => [this.#write(door, index), this.#read(door, index)]);
    this.#lanes = Promise.all(lanes);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#lanes;
  }

  async #write(door: Door, index: number): Promise<void> {
    for (let round = 0; !this.#stop.signal.aborted; round += 1) {
      for (const scenario of this.#scenarios) {
        for (const resource of resourcesOf(scenario)) {
          const fresh = round % EVERY_NEW === 0 ? `-${round}` : "";
          const object = { name: `by-${index + 1}${fresh}`, text: `round ${round}` };
          await this.#attempt(scenario, `write through API server ${index + 1}`, async () => {
            await door.use((server) => write(server, resource, object));
            this.#remember(`${resource.pattern} ${index}`, { name: object.name, text: undefined });
          });
        }
      }
    }
  }

  #remember(lane: string, object: Written): void {
    const others = (this.#written.get(lane) ?? []).filter(({ name }) => name !== object.name);
    this.#written.set(lane, [...others, object].slice(-NEWEST));
  }

  async #read(door: Door, index: number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const scenario of this.#scenarios) {
        for (const resource of resourcesOf(scenario)) {
          for (const object of this.#readable(scenario, resource, index)) {
            await this.#attempt(scenario, `read through API server ${index + 1}`, () =>
              door.use((server) => read(server, resource, object)),
            );
          }
        }
      }
    }
  }

  /** Seeds are always readable. Objects of an API server are not, if its first provider is missing here. */
  #readable(scenario: Scenario, resource: Resource, reader: number): readonly Written[] {
    const possible = this.#chains(scenario);
    const written = this.#doors.flatMap((_, writer) =>
      resource === scenario.beside ||
      possible.every((chains) => canRead(chains[reader] ?? [], chains[writer] ?? []))
        ? (this.#written.get(`${resource.pattern} ${writer}`) ?? [])
        : [],
    );
    return [...(this.#seeds.get(resource.pattern) ?? []), ...written];
  }

  async #attempt({ name }: Scenario, what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#ledger.checked(what);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#ledger.note(name, what, String(error));
    }
    await sleep(PAUSE_MILLISECONDS);
  }
}

export async function write(
  server: ApiServer,
  resource: Resource,
  { name, text = "" }: Written,
): Promise<void> {
  const { kind, apiVersion, path } = resource;
  const data = { text: kind === "Secret" ? Buffer.from(text).toString("base64") : text };
  const answer = await server.request("PATCH", `${path}/${name}?fieldManager=matrix&force=true`, {
    body: { apiVersion, kind, metadata: { name }, data },
    contentType: "application/apply-patch+yaml",
  });
  if (answer.status !== 200 && answer.status !== 201) throw failure(name, answer);
}

/** Reads past the watch cache, which could still have objects that etcd no longer returns. */
async function read(server: ApiServer, { kind, path }: Resource, { name, text }: Written): Promise<void> {
  const answer = await server.request("GET", `${path}/${name}`);
  if (answer.status !== 200) throw failure(name, answer);
  const { data } = answer.body as { readonly data: { readonly text: string } };
  const found = kind === "Secret" ? Buffer.from(data.text, "base64").toString() : data.text;
  if (text !== undefined && found !== text)
    throw new Error(`${name} has the text ${found} instead of ${text}`);
}

const failure = (
  name: string,
  { status, body }: { readonly status: number; readonly body: unknown },
): Error => new Error(`${name}: HTTP ${status} ${JSON.stringify(body).slice(0, 400)}`);
