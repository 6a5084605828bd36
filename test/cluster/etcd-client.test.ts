import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EtcdConfig } from "../../src/config/config.ts";
import { EtcdClient } from "../../src/storage/etcd/etcd-client.ts";
import { scan } from "../../src/storage/etcd/etcd-scan.ts";
import { type CertificateFiles, selfSigned } from "../../src/testing/certificate.ts";
import { controlPlaneBinaries } from "../controlplane/binaries.ts";
import { Etcd } from "../controlplane/etcd.ts";
import { freePort } from "../controlplane/ports.ts";
import { type RunningProcess, startProcess } from "../controlplane/processes.ts";
import { eventually } from "../controlplane/wait.ts";

const binaries = await controlPlaneBinaries();
const { signal } = new AbortController();
const WHOLE = { key: Buffer.from("/r/"), rangeEnd: Buffer.from("/r0"), limit: 10, revision: 0 };
const open = (endpoints: readonly string[], more: Partial<EtcdConfig> = {}) =>
  EtcdClient.open({ endpoints, prefix: "/r", ...more });

describe.skipIf(binaries === undefined)("the client of etcd", () => {
  let folder: string;
  let etcd: Etcd;
  let client: EtcdClient;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clv-etcd-"));
    etcd = await Etcd.create(binaries?.etcd ?? "", folder);
    await etcd.start();
    client = open([etcd.endpoint]);
  });
  afterAll(async () => {
    client?.close();
    await etcd?.kill9();
    await rm(folder, { recursive: true, force: true });
  });

  const post = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
    const reply = await fetch(`${etcd.endpoint}/v3/kv/${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    expect(reply.status).toBe(200);
    return (await reply.json()) as { header: { revision: string } };
  };
  const put = async (key: string, value: string | Buffer): Promise<number> => {
    const encoded = {
      key: Buffer.from(key).toString("base64"),
      value: Buffer.from(value).toString("base64"),
    };
    return Number((await post("put", encoded)).header.revision);
  };

  it("reads keys, values and revisions, and nothing beside the range", async () => {
    await put("/q/x", "no");
    await put("/r/a", "1");
    const revision = await put("/r/b", "2");
    await put("/r0", "no");
    const page = await client.range(WHOLE, signal);
    expect(page).toMatchObject({ kind: "page", more: false, count: 2, revision: revision + 1 });
    expect(page.kind === "page" && page.entries.map(({ key, value }) => `${key}=${value}`)).toEqual([
      "/r/a=1",
      "/r/b=2",
    ]);
  });

  it("reads as of a revision, whatever was written since", async () => {
    const { revision } = (await client.range(WHOLE, signal)) as { revision: number };
    await put("/r/c", "3");
    expect(await client.range({ ...WHOLE, revision }, signal)).toMatchObject({ count: 2 });
    expect(await client.range(WHOLE, signal)).toMatchObject({ count: 3 });
  });

  it("says so where etcd has compacted the revision", async () => {
    const revision = await put("/r/c", "4");
    await put("/r/c", "5");
    await post("compaction", { revision: String(revision + 1) });
    expect(await client.range({ ...WHOLE, revision }, signal)).toEqual({ kind: "compacted" });
  });

  it("scans many keys in pages, large values among them, each once and in order", async () => {
    const large = Buffer.alloc(1_200_000, 1);
    const names = Array.from({ length: 440 }, (_, n) => String(n).padStart(4, "0"));
    await Promise.all(names.map((name, n) => put(`/s/${name}`, n >= 400 && n < 430 ? large : name)));
    const seen: string[] = [];
    const pages: number[] = [];
    const outcome = await scan(client, "/s/", {
      revision: 0,
      signal,
      visit: ({ key }) => seen.push(key.toString().slice(3)),
      onPage: (keys) => pages.push(keys),
    });
    expect(outcome.kind).toBe("done");
    expect(seen).toEqual(names);
    expect(Math.max(...pages)).toBeGreaterThanOrEqual(200);
    expect(pages).toContain(1);
  });

  it("asks the next endpoint where one does not answer, and stays with the one that does", async () => {
    const two = open([`http://127.0.0.1:${await freePort()}`, etcd.endpoint]);
    expect(await two.range(WHOLE, signal)).toMatchObject({ kind: "page" });
    expect(await two.range(WHOLE, signal)).toMatchObject({ kind: "page" });
    two.close();
  });

  it("names every endpoint and what to do where none answers", async () => {
    const ports = [await freePort(), await freePort()];
    const none = open(ports.map((port) => `http://127.0.0.1:${port}`));
    await expect(none.range(WHOLE, signal)).rejects.toMatchObject({
      code: "Etcd",
      message: expect.stringMatching(
        new RegExp(`^no etcd endpoint answers: .*:${ports[0]}: .*:${ports[1]}: .*check etcd.endpoints`),
      ),
    });
    none.close();
  });

  it("stops with the signal's reason, while it waits too", async () => {
    const none = open([`http://127.0.0.1:${await freePort()}`]);
    const stop = new AbortController();
    const call = none.range(WHOLE, stop.signal);
    stop.abort(new Error("enough"));
    await expect(call).rejects.toThrow(/enough|aborted/);
    none.close();
  });

  describe("with TLS and client certificates", () => {
    let secure: RunningProcess;
    let endpoint: string;
    let config: { readonly ca: string; readonly client: { readonly cert: string; readonly key: string } };

    beforeAll(async () => {
      const { cert, key } = certificate(folder, "etcd");
      endpoint = `https://127.0.0.1:${await freePort()}`;
      config = { ca: cert, client: { cert, key } };
      const peer = `http://127.0.0.1:${await freePort()}`;
      secure = await startProcess({
        name: "etcd with TLS",
        binary: binaries?.etcd ?? "",
        args: [
          ...["--name=tls", `--data-dir=${join(folder, "tls")}`, "--unsafe-no-fsync", "--log-level=warn"],
          ...[
            `--listen-client-urls=${endpoint.replace("127.0.0.1", "0.0.0.0")}`,
            `--advertise-client-urls=${endpoint}`,
          ],
          ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
          ...[`--initial-cluster=tls=${peer}`, `--cert-file=${cert}`, `--key-file=${key}`],
          ...["--client-cert-auth", `--trusted-ca-file=${cert}`],
        ],
        log: join(folder, "tls.log"),
        home: folder,
      });
    });
    afterAll(() => secure?.kill9());

    it("reads", async () => {
      const trusted = open([endpoint], config);
      await eventually("etcd with TLS answers", async () => {
        secure.mustLive();
        return (await trusted.range(WHOLE, signal)).kind === "page";
      });
      trusted.close();
    });

    it("refuses an etcd whose certificate is for another address, which its ca verifies", async () => {
      const elsewhere = open([endpoint.replace("127.0.0.1", "127.0.0.2")], config);
      await expect(elsewhere.range(WHOLE, signal)).rejects.toThrow(/IP: 127.0.0.2 is not in the cert's list/);
      elsewhere.close();
    });

    it("refuses an etcd that its ca does not verify", async () => {
      const other = certificate(folder, "other");
      const wary = open([endpoint], { ...config, ca: other.cert });
      await expect(wary.range(WHOLE, signal)).rejects.toThrow(/no etcd endpoint answers: .*certificate/);
      wary.close();
    });

    it("says which file is not there", () => {
      expect(() => open([endpoint], { ...config, ca: "/nowhere/ca.crt" })).toThrow(
        expect.objectContaining({
          code: "ConfigInvalid",
          message: expect.stringContaining("etcd.ca /nowhere"),
        }),
      );
    });

    it("says that a certificate and a key do not go together", () => {
      const other = certificate(folder, "stranger");
      const client = { cert: config.client.cert, key: other.key };
      expect(() => open([endpoint], { ...config, client })).toThrow(
        /etcd\.ca, etcd\.cert, etcd\.key\) cannot be/,
      );
    });
  });
});

/** Creates one self-signed certificate for all, which is its own certificate authority. */
function certificate(folder: string, name: string): CertificateFiles {
  const files = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  selfSigned(files, { name });
  return files;
}
