/** Rewrites all Secrets. Prints how many there were, and this process's figures from /proc. */
import { readFileSync } from "node:fs";
import { KubeClient } from "../src/kube/client.ts";
import { rewrite } from "../src/storage/rewrite/rewriter.ts";
import { apiResources } from "../src/storage/served/api-resources.ts";

const client = new KubeClient(process.argv[2] ?? "");
const { signal } = new AbortController();
const resources = await apiResources(client, ["secrets"], signal);
const { rewritten } = await rewrite({ client, resources, signal });
process.stdout.write(`${rewritten}\n${readFileSync("/proc/self/status", "utf8")}`);
process.exit(0);
