import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeApiServer } from "../testing/fake-api-server.ts";
import { askApiServer, MetricsScan } from "./api-server-metrics.ts";
import { KubeClient } from "./client.ts";

const ID = `sha256:${"1".repeat(64)}`;
const OTHER_ID = `sha256:${"2".repeat(64)}`;
const HASH = `sha256:${"a".repeat(64)}`;
const OTHER_HASH = `sha256:${"b".repeat(64)}`;
const CONTROLLER = "apiserver_encryption_config_controller";
const info = (hash: string, id = ID) =>
  `${CONTROLLER}_last_config_info{apiserver_id_hash="${id}",hash="${hash}"} 1`;
const reloads = (status: string, count: number) =>
  `${CONTROLLER}_automatic_reloads_total{apiserver_id_hash="${ID}",status="${status}"} ${count}`;
const reloadTime = (status: string, seconds: string) =>
  `${CONTROLLER}_automatic_reload_last_timestamp_seconds{apiserver_id_hash="${ID}",status="${status}"} ${seconds}`;
const build = (minor: string, major = "1") =>
  `kubernetes_build_info{build_date="",major="${major}",minor="${minor}",platform="linux/amd64"} 1`;

function wordOf(...lines: readonly string[]) {
  const scan = new MetricsScan();
  for (const line of lines) scan.line(line);
  return scan.word;
}

describe("what an API server's metrics say", () => {
  test("of one that reloads its file: which process goes by which file, and what it tried", () => {
    expect(
      wordOf(
        "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.",
        "process_start_time_seconds 1.79579404251e+09",
        info(HASH),
        reloads("success", 2),
        reloads("failure", 7),
        reloadTime("success", "1.7957941e+09"),
        reloadTime("failure", "1.79579412345e+09"),
        build("37"),
        'apiserver_request_total{code="200"} 4',
      ),
    ).toEqual({
      startTime: 1_795_794_042_510,
      idHash: ID,
      configHash: HASH,
      minor: 37,
      reloads: 2,
      reloadedAt: 1_795_794_100_000,
      droppedAt: 1_795_794_123_450,
      hasFile: true,
    });
  });
  test("of one without a file: nothing but its start and its release", () => {
    expect(wordOf("process_start_time_seconds 5", build("34+"))).toEqual({
      startTime: 5_000,
      minor: 34,
      reloads: 0,
      hasFile: false,
    });
  });
  test.each([
    ["two files", [info(HASH), info(OTHER_HASH)], { idHash: ID, hasFile: true }],
    ["two identities", [info(HASH), info(HASH, OTHER_ID)], { configHash: HASH, hasFile: true }],
    ["a hash that is none", [info("sha256:abc")], { idHash: ID, hasFile: true }],
    ["no identity, as its gate is closed", [info(HASH, "")], { configHash: HASH, hasFile: true }],
    [
      "a KMS provider, and no hash of its file",
      [
        'apiserver_envelope_encryption_key_id_hash_status_last_timestamp_seconds{apiserver_id_hash="",provider_name="x"} 1',
      ],
      { hasFile: true },
    ],
    ["a release of another major version", [build("40", "2")], { hasFile: false }],
    [
      "a value that is no number",
      ["process_start_time_seconds NaN", "process_start_time_seconds +Inf"],
      { hasFile: false },
    ],
    ["a longer name", ["process_start_time_seconds_total 5"], { hasFile: false }],
    [
      "a line without an end",
      [`${CONTROLLER}_last_config_info{hash="${"a".repeat(5_000)}"} 1`],
      { hasFile: false },
    ],
  ])("of %s: no more than is sure", (_, lines, expected) => {
    expect(wordOf(...lines)).toEqual({ reloads: 0, ...expected });
  });
  test("of whatever text: it never throws, and a hash is one", () => {
    const piece = fc.constantFrom(
      info(HASH),
      `${CONTROLLER}_last_config_info{`,
      '"',
      "\\",
      "}",
      " ",
      "1",
      "hash=",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string())), (pieces) => {
        const { configHash } = wordOf(pieces.join(""), ...pieces);
        return configHash === undefined || /^sha256:[0-9a-f]{64}$/.test(configHash);
      }),
    );
  });
});

describe("an API server that is asked", () => {
  /** Asks an API server that has these metrics and this release. */
  async function asked(metrics: string, version: unknown) {
    const server = await FakeApiServer.start();
    onTestFinished(() => server.stop());
    const paths: string[] = [];
    server.answer(({ path, query, response }) => {
      paths.push(path);
      if (path === "/version") return void response.end(JSON.stringify(version));
      expect(query.getAll("name[]")).toContain(`${CONTROLLER}_last_config_info`);
      response.end(metrics);
    });
    const client = new KubeClient(server.kubeconfig);
    onTestFinished(() => client.close());
    return { word: await askApiServer(client, new AbortController().signal), paths };
  }

  test("and names its file => that is all that is asked", async () => {
    const { word, paths } = await asked(`${info(HASH)}\n`, {});
    expect(word).toMatchObject({ configHash: HASH, hasFile: true, address: "127.0.0.1" });
    expect(paths).toEqual(["/metrics"]);
  });
  test("and has none, nor says of which release it is => it is asked for that too", async () => {
    const { word, paths } = await asked("process_start_time_seconds 5\n", { major: "1", minor: "36+" });
    expect(word).toMatchObject({ minor: 36, hasFile: false });
    expect(paths).toEqual(["/metrics", "/version"]);
  });
  test.each([[{}], ["1.36"], [{ major: 1, minor: { a: 1 } }]])(
    "and answers %j for its release => nobody knows it",
    async (version) => {
      expect((await asked("process_start_time_seconds 5\n", version)).word).not.toHaveProperty("minor");
    },
  );
});
