import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { GrantRow } from "../src/keyring/grant-row.ts";
import { KeyringWriter } from "../src/keyring/writer.ts";

const COMMITS = 25;
/** A follower looks at the file five times a second. */
const PAUSE_MILLISECONDS = 250;

/** The CPU time of a process that follows a keyring, in milliseconds for each commit. */
export interface CommitsMeasured {
  readonly idle: number;
  readonly grant: number;
  readonly key: number;
}

/** Measures the cost of commits of the operator for each process that keeps `keys` keys in memory. */
export async function measureCommits(
  stateDir: string,
  keys: readonly { readonly namespace: string; readonly name: string; readonly keyId: GrantRow["keyId"] }[],
  grantOf: (n: number) => GrantRow,
): Promise<CommitsMeasured> {
  const keyring = KeyringWriter.open(stateDir);
  const put = (n: number, enabled: boolean) => {
    const key = keys[n];
    if (key !== undefined) keyring.apply([{ kind: "putKey", key: { ...key, enabled } }]);
  };
  keyring.apply(keys.map((key) => ({ kind: "putKey", key: { ...key, enabled: true } })));
  const follower = fork(join(import.meta.dirname, "commit-reader.ts"), [keyring.path]);
  try {
    await cpuFor(follower, () => {});
    return {
      idle: await cpuFor(follower, () => {}),
      grant: await cpuFor(follower, (n) =>
        keyring.transaction(() => keyring.grants.put({ ...grantOf(n), createdAt: n })),
      ),
      key: await cpuFor(follower, (n) => put(n, false)),
    };
  } finally {
    follower.disconnect();
    await once(follower, "exit");
    keyring.close();
  }
}

/** Makes commits, one in each pause. Returns the follower's CPU time for each. */
async function cpuFor(follower: ChildProcess, commit: (n: number) => void): Promise<number> {
  await cpu(follower);
  for (let n = 0; n < COMMITS; n += 1) {
    commit(n);
    await sleep(PAUSE_MILLISECONDS);
  }
  return (await cpu(follower)) / COMMITS;
}

async function cpu(follower: ChildProcess): Promise<number> {
  const answer = once(follower, "message");
  follower.send("cpu");
  return Number((await answer)[0]);
}
