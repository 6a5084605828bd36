/**
 * Reads the grants of a keyring as the AWS-compatible API does, in a process of its own, and prints a
 * GrantsMeasured as JSON. Arguments: the keyring's path, and the number of decisions.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Asked, decideAccess, LEFT_TO_ACCOUNT } from "../src/access/decide-access.ts";
import { GrantIndex } from "../src/access/grant-index.ts";
import { LiveGrants } from "../src/keyring/live/live-grants.ts";
import { benchGrantee, benchKeyId, benchMasterKey } from "./grants.ts";

const [path = "", decisions = "100000"] = process.argv.slice(2);
const index = new GrantIndex();
const live = new LiveGrants(path, index);
const memory = () => {
  globalThis.gc?.();
  return process.memoryUsage().rss;
};
const rss = memory();
const began = performance.now();
live.start();
while (!live.complete) await sleep(1);
const loadMilliseconds = performance.now() - began;

/** Decides about one key after another. Returns microseconds for a decision. */
function microseconds(principalOf: (n: number) => string): number {
  const count = Number(decisions);
  const since = performance.now();
  for (let n = 0; n < count; n++) {
    const principal = principalOf(n);
    const key = { keyId: benchKeyId(n), masterKey: benchMasterKey(n) };
    const asked: Asked = { principal, action: "Decrypt", ...key, context: { tenant: "a" } };
    decideAccess(asked, { policy: LEFT_TO_ACCOUNT, grants: index, tokens: [], rbac: "denied" }, Date.now());
  }
  return ((performance.now() - since) * 1000) / count;
}
// The first round is not counted: code is compiled in it.
microseconds(benchGrantee);
const allowed = microseconds(benchGrantee);
const denied = microseconds(() => "arn:aws:iam::000000000000:role/shop/nobody");
const measured = { grants: index.size, loadMilliseconds, rss: memory() - rss, allowed, denied };
process.stdout.write(JSON.stringify(measured));
live.close();
