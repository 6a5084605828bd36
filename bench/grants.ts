import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type KeyId, parseKeyId } from "../src/crypto/ids.ts";
import type { GrantRow } from "../src/keyring/grant-row.ts";
import { recordFollowed } from "../src/keyring/tables/followed-kinds.ts";
import { KeyringWriter } from "../src/keyring/writer.ts";
import { measureCommits } from "./commits.ts";
import type { Bench, PartResult } from "./part.ts";
import { figure } from "./table.ts";

const run = promisify(execFile);
const KEYS = 10_000;
const DECISIONS = 200_000;
const ROWS_AT_ONCE = 5_000;

/** The results of grants-reader.ts. */
interface GrantsMeasured {
  readonly grants: number;
  readonly loadMilliseconds: number;
  /** The growth of the resident set, in bytes. */
  readonly rss: number;
  /** Microseconds for a decision. */
  readonly allowed: number;
  readonly denied: number;
}

export const benchKeyId = (n: number): KeyId =>
  parseKeyId(`aaaaaaaa-0000-4000-8000-${String(n % KEYS).padStart(12, "0")}`);
export const benchMasterKey = (n: number) => ({ namespace: "shop", name: `key-${n % KEYS}` });
export const benchGrantee = (n: number): string => `arn:aws:iam::000000000000:role/shop/app-${n % KEYS}`;

/** Measures what the grants of a cluster cost a process that decides by them: memory, start, a decision. */
export async function grants(bench: Bench): Promise<PartResult> {
  const measured: GrantsMeasured[] = [];
  for (const count of bench.scale.grants) {
    bench.progress(`grants: ${count.toLocaleString("en-US")}`);
    measured.push(await measure(join(bench.dir, `grants-${count}`), count));
  }
  bench.progress("grants: commits");
  const { idle, grant, key } = await measureCommits(
    join(bench.dir, "commits"),
    Array.from({ length: KEYS }, keyOf),
    row,
  );
  return {
    title: "Grants",
    method:
      `Grants on up to ${KEYS.toLocaleString("en-US")} keys in a keyring, each with a constraint, read by a process as the AWS-compatible API does. ` +
      "Memory is the growth of the resident set by it; a decision is about a key and its principal that the grants allow, " +
      "or about a principal that they do not. " +
      `The cost of a commit is the CPU time of another process that keeps ${KEYS.toLocaleString("en-US")} keys in memory, as a plugin does, in the quarter of a second after it.`,
    tables: [
      {
        header: ["grants", "read in ms", "memory MB", "allowed µs", "denied µs"],
        rows: measured.map((one) => [
          one.grants.toLocaleString("en-US"),
          ...[one.loadMilliseconds, one.rss / 1e6, one.allowed, one.denied].map(figure),
        ]),
      },
      {
        header: ["commit", "CPU ms of each follower"],
        rows: [
          ["none", figure(idle)],
          ["a grant", figure(grant)],
          ["a changed key", figure(key)],
        ],
      },
    ],
    goals: [],
  };
}

async function measure(stateDir: string, count: number): Promise<GrantsMeasured> {
  const keyring = KeyringWriter.open(stateDir);
  recordFollowed(keyring, "KeyGrant");
  for (let from = 0; from < count; from += ROWS_AT_ONCE) {
    keyring.transaction(() => {
      for (let n = from; n < Math.min(count, from + ROWS_AT_ONCE); n++) keyring.grants.put(row(n));
    });
  }
  const { path } = keyring;
  keyring.close();
  const reader = join(import.meta.dirname, "grants-reader.ts");
  const { stdout } = await run(process.execPath, ["--expose-gc", reader, path, String(DECISIONS)]);
  return JSON.parse(stdout);
}

const keyOf = (_: unknown, n: number) => ({ ...benchMasterKey(n), keyId: benchKeyId(n) });

/** Every tenth grant of a key is to the principal that asks. */
const row = (n: number): GrantRow => ({
  grantId: n.toString(16).padStart(64, "0"),
  ...{ namespace: "shop", name: `grant-${n}`, masterKey: `key-${n % KEYS}`, keyId: benchKeyId(n) },
  granteePrincipal: n < KEYS ? benchGrantee(n) : `arn:aws:iam::000000000000:role/shop/other-${n}`,
  ...{ operations: ["Decrypt", "GenerateDataKey"], createdAt: 0 },
  issuingPrincipal: "arn:aws:iam::000000000000:user/alice",
  constraint: { kind: "Subset", context: { tenant: "a" } },
});
