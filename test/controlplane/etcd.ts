import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { type Launch, type RunningProcess, startProcess } from "./processes.ts";
import { eventually } from "./wait.ts";

/** A key of etcd with its raw stored bytes, as somebody with the disk sees them. */
export interface EtcdEntry {
  readonly key: string;
  readonly value: Buffer;
  /** The revision of the last write. It grows when an object is rewritten. */
  readonly modRevision: number;
  /** The number of writes since it was created. */
  readonly writes: number;
}

/** A single etcd on loopback, which keeps its data and its ports over restarts. */
export class Etcd {
  readonly endpoint: string;
  readonly #dataDir: string;
  readonly #launch: Launch;
  #process: RunningProcess | undefined;

  private constructor(endpoint: string, dataDir: string, launch: Launch) {
    this.endpoint = endpoint;
    this.#dataDir = dataDir;
    this.#launch = launch;
  }

  /** Picks ports and prepares to keep data in `dir`/etcd. `start` starts it. */
  static async create(binary: string, dir: string): Promise<Etcd> {
    const client = `http://127.0.0.1:${await freePort()}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    const dataDir = join(dir, "etcd");
    const args = [
      "--name=etcd",
      `--data-dir=${dataDir}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=etcd=${peer}`,
      // A killed process loses nothing that it has written; only a power cut would.
      "--unsafe-no-fsync",
      "--log-level=warn",
    ];
    return new Etcd(client, dataDir, { name: "etcd", binary, args, log: join(dir, "etcd.log"), home: dir });
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts etcd, on the same data and ports if it ran before. Resolves when it serves. */
  async start(): Promise<void> {
    const started = await startProcess(this.#launch);
    this.#process = started;
    await eventually("etcd is healthy", async () => {
      started.mustLive();
      const health = await fetch(`${this.endpoint}/health`, { signal: AbortSignal.timeout(10_000) });
      await health.body?.cancel();
      return health.ok;
    });
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** Ends etcd as a crash would. */
  async kill9(): Promise<void> {
    await this.#process?.kill9();
  }

  /** Stops, copies the data to `folder`, which must not exist, and starts again: a backup of this moment. */
  async copyData(folder: string): Promise<void> {
    await this.stop();
    await cp(this.#dataDir, folder, { recursive: true, errorOnExist: true, force: false });
    await this.start();
  }

  /** Stops, restores the data from a copy, and starts again, at a lower revision and without raising it. */
  async restoreData(folder: string): Promise<void> {
    await this.stop();
    await rm(this.#dataDir, { recursive: true });
    await cp(folder, this.#dataDir, { recursive: true });
    await this.start();
  }

  /** Writes a value past every API server, as somebody with etcd's credentials would. */
  async put(key: string, value: Buffer): Promise<void> {
    await call(this.endpoint, "put", { key: base64(key), value: value.toString("base64") });
  }

  /** Deletes a key past every API server. */
  async delete(key: string): Promise<void> {
    await call(this.endpoint, "deleterange", { key: base64(key) });
  }

  /** Returns all keys that begin with `prefix`, and their values. */
  get(prefix: string): Promise<EtcdEntry[]> {
    return etcdGet(this.endpoint, prefix);
  }
}

/**
 * Reads all keys that begin with `prefix` ("" for every key) from the etcd at
 * `endpoint`, in key order and as of one revision, through its JSON gateway.
 */
export async function etcdGet(endpoint: string, prefix: string): Promise<EtcdEntry[]> {
  const entries: EtcdEntry[] = [];
  for await (const entry of etcdEntries(endpoint, prefix)) entries.push(entry);
  return entries;
}

/** Does the same as `etcdGet`, one entry at a time, for more data than fit into memory. */
export async function* etcdEntries(endpoint: string, prefix: string): AsyncGenerator<EtcdEntry> {
  const end = rangeEnd(prefix);
  let from = prefix === "" ? Buffer.from([0]) : Buffer.from(prefix);
  let revision = "0";
  for (;;) {
    const page = await range(endpoint, { key: from, end, revision });
    // All pages use the first page's revision, so that writes in between neither hide nor repeat a key.
    revision = page.header.revision;
    const entries = (page.kvs ?? []).map(decode);
    yield* entries;
    const last = entries.at(-1);
    if (!page.more || last === undefined) return;
    from = Buffer.from(`${last.key}\0`);
  }
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

async function call(endpoint: string, method: string, body: object): Promise<void> {
  const url = `${endpoint}/v3/kv/${method}`;
  const reply = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`etcd refused ${method}: ${reply.status} ${await reply.text()}`);
}

interface RangeRequest {
  readonly key: Buffer;
  readonly end: Buffer;
  readonly revision: string;
}

/** etcd's RangeResponse in protobuf's JSON form: int64 as string, bytes as base64, defaults left out. */
interface RangePage {
  readonly header: { readonly revision: string };
  readonly kvs?: readonly RawEntry[];
  readonly more?: boolean;
}

interface RawEntry {
  readonly key: string;
  readonly value?: string;
  readonly mod_revision: string;
  readonly version: string;
}

async function range(endpoint: string, { key, end, revision }: RangeRequest): Promise<RangePage> {
  const reply = await fetch(`${endpoint}/v3/kv/range`, {
    method: "POST",
    body: JSON.stringify({
      key: key.toString("base64"),
      range_end: end.toString("base64"),
      revision,
      limit: 256,
    }),
    signal: AbortSignal.timeout(60_000),
  });
  if (!reply.ok) throw new Error(`etcd answered ${reply.status}: ${await reply.text()}`);
  return (await reply.json()) as RangePage;
}

function decode(raw: RawEntry): EtcdEntry {
  return {
    key: Buffer.from(raw.key, "base64").toString(),
    value: Buffer.from(raw.value ?? "", "base64"),
    modRevision: Number(raw.mod_revision),
    writes: Number(raw.version),
  };
}

/** Returns the first key after all keys that begin with `prefix`; a zero byte means "to the end" in etcd. */
function rangeEnd(prefix: string): Buffer {
  if (prefix === "") return Buffer.from([0]);
  const end = Buffer.from(prefix);
  // UTF-8 has no byte 0xff, so this cannot overflow.
  end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1);
  return end;
}
