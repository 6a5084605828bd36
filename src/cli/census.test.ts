import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { entryField, varintField } from "../protobuf.ts";
import { census } from "./census.ts";

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

/** A RangeResponse with these keys, of which there are more. */
function page(keys: readonly string[], more: boolean): Buffer {
  const header = Buffer.concat([...varintField(1, 9), ...varintField(3, 7)]);
  const entry = (key: string) =>
    entryField(
      2,
      Buffer.concat([...entryField(1, Buffer.from(key)), ...entryField(5, Buffer.from("plain"))]),
    );
  return Buffer.concat([...entryField(1, header), ...keys.flatMap(entry), ...varintField(3, more ? 1 : 0)]);
}

const CLUSTER = page(["/registry/namespaces/default"], false);
const folder = mkdtempSync(join(tmpdir(), "claviger-census-"));
const configPath = join(folder, "claviger.yaml");
const etcd = new Server();
/** What etcd answers, in order; at the end it refuses. */
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
    manifests: folder,
    etcd: { endpoints: [`http://127.0.0.1:${port}`] },
  };
  writeFileSync(configPath, JSON.stringify(config));
});
afterAll(() => {
  etcd.forceShutdown();
  rmSync(folder, { recursive: true });
});
afterEach(() => vi.restoreAllMocks());

/** Runs the command at a terminal; what it wrote there, and on stdout. */
async function run(...replies: Buffer[]) {
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
  const failure = await census.run(["--config", configPath, "--all"]).then(
    () => undefined,
    (error: unknown) => String(error),
  );
  process.stderr.isTTY = isTTY;
  return { ...shown, failure };
}

test("one object => is counted as one", async () => {
  const { stdout, stderr, failure } = await run(CLUSTER, page(["/registry/secrets/a/b"], false));
  expect(failure).toBeUndefined();
  expect(stdout).toMatch(/\n1 object at etcd's revision 7\n$/);
  expect(stderr).toContain("1 object counted");
});

test("etcd refuses in the middle => what is said next has a line of its own", async () => {
  const { stderr, failure } = await run(CLUSTER, page(["/registry/secrets/a/b"], true));
  expect(failure).toContain("permission denied");
  expect(stderr.endsWith("counted\r\x1b[K")).toBe(true);
});
