import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { MasterKey } from "../../src/resources/resources.ts";
import { storedValue } from "../../src/storage/etcd/stored-value.ts";
import { eventually } from "../controlplane/wait.ts";
import type { MatrixRun } from "./matrix-run.ts";
import type { Resource } from "./matrix-scenarios.ts";
import { write } from "./matrix-traffic.ts";
import type { ClavigerNode } from "./node.ts";

/**
 * With the probes every API server asks for Status within 20 s, and after that it no longer writes an old
 * key_id.
 */
const SETTLES_AFTER_ROTATION = { CLAVIGER_TEST_SETTLE_SECONDS: "30" };
const LONG = { deadline: 300_000, every: 300 };

/**
 * Restores node 2's disk to an image from before a rotation: its API server writes under version 1 until its
 * operator has caught up, while the leader is paused and so only sees that node 2 serves version 2, as
 * before. Returns when that is over, in epoch milliseconds.
 */
export async function returnFromImage(run: MatrixRun, name: string, resource: Resource): Promise<number> {
  const [leading, returning] = run.cluster.nodes;
  if (leading === undefined || returning === undefined) throw new Error("two nodes are needed");
  const image = join(run.cluster.plane.dir, "image");
  await run.ledger.disturbance(async () => {
    for (const node of [leading, returning]) await stopBoth(node);
    await cp(returning.stateDir, image, { recursive: true });
    for (const node of [leading, returning]) await startBoth(node);
  });
  await run.standing();
  const { kmsKeyId: old } = (await masterKey(run, name)).status?.currentVersion ?? {};
  await rotate(run, name);
  await run.ledger.disturbance(() =>
    run.restart(
      1,
      async () => {
        await stopBoth(returning);
        await leads(run, leading);
        await rm(returning.stateDir, { recursive: true });
        await cp(image, returning.stateDir, { recursive: true });
        await returning.start("plugin", SETTLES_AFTER_ROTATION);
      },
      () => catchUp(run, { leading, returning, name, resource, old }),
    ),
  );
  return Date.now();
}

interface Return {
  readonly leading: ClavigerNode;
  readonly returning: ClavigerNode;
  readonly name: string;
  readonly resource: Resource;
  readonly old: string | undefined;
}

/** Lets the node catch up while its API server is running and only this client uses it. */
async function catchUp(run: MatrixRun, { leading, returning, name, resource, old }: Return): Promise<void> {
  const server = run.doors[1]?.server;
  if (server === undefined) throw new Error("there is no second API server");
  await server.ready();
  await write(server, resource, { name: "from-image", text: "under version 1" });
  const [entry] = await run.cluster.plane.etcd.get(`${resource.prefix}default/from-image`);
  const stored = entry && storedValue(entry.value);
  if (stored?.kind !== "kms-v2" || stored.keyId !== old)
    throw new Error(`the node from the image did not write under version 1: ${JSON.stringify(stored)}`);
  const leader = leading.running("operator")?.pid;
  if (leader === undefined) throw new Error("nobody leads");
  process.kill(leader, "SIGSTOP");
  try {
    const before = await keyServerVersion(run, returning.name);
    await returning.start("operator", SETTLES_AFTER_ROTATION);
    await eventually("node 2 has caught up and said so", async () => {
      const now = await keyServerVersion(run, returning.name);
      return now !== before && (await serves(run, returning.name, name)) === 2;
    });
  } finally {
    process.kill(leader, "SIGCONT");
  }
}

async function rotate(run: MatrixRun, name: string): Promise<void> {
  const rotation = { requestToken: "for the image" };
  await run.cluster.kubectl([
    ...["patch", "mk", "-n", "claviger-system", name, "--type=merge"],
    ...["-p", JSON.stringify({ spec: { rotation } })],
  ]);
  await eventually(
    "all is under version 2",
    async () => {
      const { currentVersion, reencryption } = (await masterKey(run, name)).status ?? {};
      const done = reencryption?.phase === "Complete" && reencryption.kmsKeyId === currentVersion?.kmsKeyId;
      if (currentVersion?.number === 2 && done) return true;
      throw new Error(JSON.stringify([currentVersion, reencryption]));
    },
    LONG,
  );
}

async function leads(run: MatrixRun, node: ClavigerNode): Promise<void> {
  await eventually(`${node.name} leads`, async () => {
    const lease = ["get", "lease", "-n", "claviger-system", "claviger-operator"];
    const holder = await run.cluster.kubectl([...lease, "-o", "jsonpath={.spec.holderIdentity}"]);
    return holder.includes(node.name);
  });
}

async function masterKey(run: MatrixRun, name: string): Promise<MasterKey> {
  const key = (await run.watcher.masterKeys()).get(name);
  if (key === undefined) throw new Error(`there is no MasterKey ${name}`);
  return key;
}

const keyServer = async (run: MatrixRun, node: string) =>
  (await run.keyServers()).find(({ metadata }) => metadata.name === node);

const keyServerVersion = async (run: MatrixRun, node: string) =>
  (await keyServer(run, node))?.metadata.resourceVersion;

const serves = async (run: MatrixRun, node: string, provider: string) =>
  (await keyServer(run, node))?.status?.providers?.find(({ name }) => name === provider)?.version;

async function stopBoth(node: ClavigerNode): Promise<void> {
  await node.stop("operator");
  await node.stop("plugin");
}

async function startBoth(node: ClavigerNode): Promise<void> {
  await node.start("plugin", SETTLES_AFTER_ROTATION);
  await node.start("operator", SETTLES_AFTER_ROTATION);
}
