import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { readConfig } from "../config/config.ts";
import { entryField, varintField } from "../protobuf.ts";
import { FakeApiServer, json, failure as refusal } from "../testing/fake-api-server.ts";
import { census } from "./census.ts";
import { gather } from "./doctor/gather.ts";

const same = (bytes: Buffer): Buffer => bytes;
const RANGE = {
  path: "/etcdserverpb.KV/Range",
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

/** A RangeResponse with these keys and, if `more`, the mark that further keys follow. */
function page(keys: readonly string[], more: boolean, modRevision = 1): Buffer {
  const header = Buffer.concat([...varintField(1, 9), ...varintField(3, 7)]);
  const entry = (key: string) =>
    entryField(
      2,
      Buffer.concat([
        ...entryField(1, Buffer.from(key)),
        ...varintField(3, modRevision),
        ...entryField(5, Buffer.from("plain")),
      ]),
    );
  return Buffer.concat([...entryField(1, header), ...keys.flatMap(entry), ...varintField(3, more ? 1 : 0)]);
}

const CLUSTER = page(["/registry/namespaces/default"], false);
const ONE_SECRET = page(["/registry/secrets/a/b"], false);
const lease = (resourceVersion: string) => json({ metadata: { resourceVersion }, items: [] });
const LEASE = "/registry/leases/claviger-system/claviger-node-node-1";
const folder = mkdtempSync(join(tmpdir(), "claviger-census-"));
const [configPath, clusterPath] = ["standalone", "cluster"].map((name) => join(folder, name)) as [
  string,
  string,
];
let apiServer: FakeApiServer;
const etcd = new Server();
/** The answers of etcd, in order. After the last one etcd refuses. */
let answers: Buffer[] = [];

beforeAll(async () => {
  etcd.addService(
    { range: RANGE },
    {
      range: (_: unknown, answer: (error: object | null, value?: Buffer) => void) => {
        const next = answers.shift();
        if (next === undefined) answer({ code: status.PERMISSION_DENIED, details: "permission denied" });
        else answer(null, next);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    etcd.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const config = {
    apiVersion: "config.claviger.dev/v1alpha1",
    kind: "NodeConfig",
    nodeName: "node-1",
    stateDir: folder,
    seal: { file: { path: "root.key" } },
    providers: [{ name: "secrets", socket: join(folder, "s.sock"), key: "apps/secrets" }],
    etcd: { endpoints: [`http://127.0.0.1:${port}`] },
  };
  apiServer = await FakeApiServer.start();
  writeFileSync(configPath, JSON.stringify({ ...config, manifests: folder }));
  writeFileSync(clusterPath, JSON.stringify({ ...config, kubeconfig: apiServer.kubeconfig }));
});
afterAll(async () => {
  etcd.forceShutdown();
  await apiServer.stop();
  rmSync(folder, { recursive: true });
});
afterEach(() => vi.restoreAllMocks());

/** Runs the command at a terminal. Returns its output on the terminal and on stdout. */
async function run(path: string, ...replies: Buffer[]) {
  answers = replies;
  const shown = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      shown[name] += String(text);
      return true;
    });
  }
  const isTTY = process.stderr.isTTY;
  process.stderr.isTTY = true;
  const failure = await census.run(["--config", path, "--all"]).then(
    () => undefined,
    (error: unknown) => String(error),
  );
  process.stderr.isTTY = isTTY;
  return { ...shown, failure };
}

test("one object => is counted as one", async () => {
  const { stdout, stderr, failure } = await run(configPath, CLUSTER, ONE_SECRET);
  expect(failure).toBeUndefined();
  expect(stdout).toMatch(/\n1 object at etcd's revision 7\n$/);
  expect(stderr).toContain("1 object counted");
});

test("etcd refuses in the middle => what is said next has a line of its own", async () => {
  const { stderr, failure } = await run(configPath, CLUSTER, page(["/registry/secrets/a/b"], true));
  expect(failure).toContain("permission denied");
  expect(stderr.endsWith("counted\r\x1b[K")).toBe(true);
});

test.each<[string, Parameters<FakeApiServer["answer"]>[0], Buffer, string | undefined]>([
  [
    "has this node's Lease as the API server has it => is its own",
    lease("5"),
    page([LEASE], false, 5),
    undefined,
  ],
  [
    "lacks this node's Lease => is not the API server's",
    lease("5"),
    page([], false),
    "not the API server's etcd",
  ],
  [
    "has another one of that name => is not the API server's",
    lease("5"),
    page([LEASE], false, 9),
    "not the API server's etcd",
  ],
  ["is counted while the API server is down", refusal(503, "down"), page([], false), undefined],
  [
    "is counted before this node's operator was ever started",
    refusal(404, "none"),
    page([], false),
    undefined,
  ],
])("an etcd that %s", async (_, answer, inEtcd, why) => {
  apiServer.answer(answer);
  const { stdout, failure } = await run(clusterPath, CLUSTER, ONE_SECRET, inEtcd);
  expect(stdout).toContain("1 object at etcd's revision 7");
  if (why === undefined) expect(failure).toBeUndefined();
  else expect(failure).toContain(why);
});

test("doctor, in an etcd that lacks this node's Lease => could not look at what etcd holds", async () => {
  apiServer.answer(lease("5"));
  answers = [page([], false), CLUSTER, ONE_SECRET];
  const { looks } = await gather(readConfig(clusterPath), new AbortController().signal);
  expect(looks.etcd).toEqual({
    kind: "failed",
    reason: expect.stringContaining("not the API server's etcd"),
  });
});
