import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { kmsKeyId, parseKeyId, parseVersionId, uuidFromBytes } from "../../src/crypto/ids.ts";
import { eventually } from "../controlplane/wait.ts";
import { Installation, masterKey } from "./installation.ts";
import {
  answerTo,
  encryptSeed,
  eventuallyRefused,
  expectOpens,
  expectRefused,
  KmsTestClient,
  outcomeOf,
  type Sealed,
} from "./kms.ts";
import { RawCall } from "./raw-call.ts";

const METHODS = ["Status", "Encrypt", "Decrypt"].map((method) => `/v2.KeyManagementService/${method}`);
const [STATUS = "", ENCRYPT = ""] = METHODS;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** Returns bytes that look random and are the same in every run. */
const noise = (seed: string, length: number): Buffer =>
  createHash("shake256", { outputLength: length }).update(seed).digest();

describe("a socket that gets what it should not", () => {
  let installation: Installation;
  let client: KmsTestClient;
  let keyId: string;
  let sealed: Sealed;

  beforeAll(async () => {
    installation = await Installation.create((config) => ({
      ...config,
      providers: [
        ...config.providers,
        { name: "other", socket: "./run/other.sock", key: "claviger-system/other" },
        { name: "again", socket: "./run/again.sock", key: "claviger-system/secrets" },
      ],
    }));
    await installation.manifest("other.yaml", masterKey("other"));
    await installation.start("serve");
    keyId = await installation.serving();
    await installation.serving("other");
    client = installation.client();
    sealed = await encryptSeed(client, randomBytes(32));
  });
  afterAll(() => installation?.[Symbol.asyncDispose]());

  /** Checks the connection that had the fault, and a new connection. */
  afterEach(async () => {
    using fresh = new KmsTestClient(installation.socket());
    for (const one of [client, fresh]) {
      expect(await one.status()).toEqual({ version: "v2", healthz: "ok", key_id: keyId });
      await expectOpens(one, sealed);
    }
  });

  it.each(METHODS)(
    "random bytes as a message of %s are answered, or refused as malformed",
    async (method) => {
      const outcomes = new Set<string>();
      for (let round = 0; round < 150; round++) {
        outcomes.add(await outcomeOf(client.raw(method, noise(`${method} ${round}`, round))));
      }
      for (const outcome of outcomes) {
        expect(["OK", "INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND"]).toContain(outcome);
      }
    },
  );

  it.each(METHODS)(
    "a message of %s that is cut off or altered is answered or refused, and its content is in no error and no log",
    async (method) => {
      const marker = Buffer.from("a-text-that-nobody-may-repeat");
      const whole = Buffer.concat([
        Buffer.from([0x0a, marker.length]),
        marker,
        Buffer.from([0x12, marker.length]),
        marker,
      ]);
      const answers: string[] = [];
      for (let length = 1; length < whole.length; length++) {
        answers.push(await client.raw(method, whole.subarray(0, length)).then(String, String));
        const altered = Buffer.from(whole);
        altered[length] = 0xff;
        answers.push(await client.raw(method, altered).then(String, String));
      }
      const refused = answers.filter((answer) => answer.startsWith("Error"));
      expect(refused.length).toBeGreaterThan(10);
      expect(refused.join("\n")).not.toContain("nobody");
      for (const run of installation.runs) {
        // The uid is printed on purpose, to find a call in the logs of both sides.
        const lines = (await run.text()).split("\n").map((line) => line.replace(/ uid=\S+/, ""));
        expect(lines.filter((line) => line.includes("nobody"))).toEqual([]);
      }
    },
  );

  it.each([
    { what: "garbage that claims to be gzip", encoding: "gzip", message: noise("gzip", 300) },
    { what: "garbage that claims to be deflate", encoding: "deflate", message: noise("deflate", 300) },
    { what: "gzip cut off", encoding: "gzip", message: gzipSync(noise("cut", 300)).subarray(0, 100) },
    { what: "an encoding that there is not", encoding: "zstandard", message: noise("zstd", 300) },
    { what: "a compressed message without an encoding", encoding: undefined, message: noise("none", 300) },
    { what: "nothing, compressed", encoding: "gzip", message: Buffer.alloc(0) },
  ])("$what is refused", async ({ encoding, message }) => {
    using call = await RawCall.open(
      installation.socket(),
      STATUS,
      encoding === undefined ? {} : { encoding },
    );
    const answer = await call.finish(message, { compressed: true });
    expect(answer.status).toMatch(/^[1-9]\d*$/);
  });

  it("a message that inflates to more than 16 KiB is refused, whatever it has on the wire", async () => {
    using call = await RawCall.open(installation.socket(), ENCRYPT, { encoding: "gzip" });
    const bomb = gzipSync(Buffer.alloc(32 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(48 * 1024);
    expect((await call.finish(bomb, { compressed: true })).status).toBe(String(status.RESOURCE_EXHAUSTED));
  });

  it("a compressed message that is well-formed is answered", async () => {
    using call = await RawCall.open(installation.socket(), STATUS, { encoding: "gzip" });
    expect((await call.finish(gzipSync(Buffer.alloc(0)), { compressed: true })).status).toBe("0");
  });

  it.each([
    { what: "no message", bytes: Buffer.alloc(0) },
    { what: "half a length", bytes: Buffer.from([0, 0, 0]) },
    { what: "a message shorter than its length", bytes: Buffer.from([0, 0, 0, 0, 9, 1, 2]) },
    { what: "a length of 4 GiB", bytes: Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2]) },
    { what: "a compression flag that there is not", bytes: Buffer.from([7, 0, 0, 0, 0]) },
    { what: "two messages", bytes: Buffer.alloc(10) },
  ])("$what in a unary call is refused or answered once, and the call ends", async ({ bytes }) => {
    using call = await RawCall.open(installation.socket(), STATUS);
    const answer = await call.finishBytes(bytes);
    expect(answer.body.length).toBeLessThan(1024);
  });

  it("a method and a service that there are not are UNIMPLEMENTED", async () => {
    for (const path of [
      "/v2.KeyManagementService/Destroy",
      "/v1beta1.KeyManagementService/Encrypt",
      "/",
      "/a/b/c",
    ]) {
      await expectRefused(client.raw(path, Buffer.alloc(0)), status.UNIMPLEMENTED, /./);
    }
  });

  it("bytes that are not HTTP/2 end their own connection only", async () => {
    for (const bytes of [
      noise("no preface", 4096),
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      `${PREFACE}${noise("frames", 4096).toString("latin1")}`,
    ]) {
      const socket = connect(installation.socket());
      socket.on("error", () => undefined);
      const closed = once(socket, "close");
      // The socket must be read to see its end, even if the server sends nothing.
      socket.resume();
      socket.write(bytes, "latin1");
      await closed;
    }
  });

  it("connections that say nothing, half a preface or half a call hold nobody up", async () => {
    const sockets: Socket[] = [];
    const calls: RawCall[] = [];
    try {
      for (let round = 0; round < 30; round++) {
        for (const bytes of ["", PREFACE.slice(0, 10), PREFACE]) {
          const socket = connect(installation.socket());
          socket.on("error", () => undefined);
          await once(socket, "connect");
          if (bytes !== "") socket.write(bytes);
          sockets.push(socket);
        }
        calls.push(await RawCall.open(installation.socket(), ENCRYPT));
      }
      for (let round = 0; round < 10; round++)
        await expectOpens(client, await encryptSeed(client, randomBytes(32)));
    } finally {
      for (const socket of sockets) socket.destroy();
      for (const call of calls) call[Symbol.dispose]();
    }
  });

  it("60 connections at once are all answered", async () => {
    const clients = Array.from({ length: 60 }, () => new KmsTestClient(installation.socket()));
    try {
      await Promise.all(
        clients.map(async (one) => {
          expect((await one.status()).key_id).toBe(keyId);
          await expectOpens(one, await encryptSeed(one, randomBytes(32)));
        }),
      );
    } finally {
      for (const one of clients) one.close();
    }
  });

  it("a message of more than 16 KiB is RESOURCE_EXHAUSTED", async () => {
    await expectRefused(client.encrypt(Buffer.alloc(16 * 1024)), status.RESOURCE_EXHAUSTED, /./);
    await expectRefused(
      client.decrypt({ ...sealed, annotations: { "a.b": Buffer.alloc(17_000) } }),
      status.RESOURCE_EXHAUSTED,
      /./,
    );
  });

  it("a plaintext is taken from 1 to 910 bytes, so that the ciphertext has at most 1024", async () => {
    for (const length of [1, 910]) {
      const longest = await encryptSeed(client, randomBytes(length));
      expect(longest.ciphertext.length).toBeLessThanOrEqual(1024);
      await expectOpens(client, longest);
    }
    for (const length of [0, 911, 16_000]) {
      await expectRefused(
        client.encrypt(Buffer.alloc(length)),
        status.INVALID_ARGUMENT,
        new RegExp(`plaintext has ${length} bytes; a KMS v2 provider takes 1 to 910`),
      );
    }
  });

  it("a ciphertext of more than 1024 bytes, or too short to be one, is INVALID_ARGUMENT", async () => {
    await expectRefused(
      client.decrypt({ ...sealed, ciphertext: Buffer.alloc(1025) }),
      status.INVALID_ARGUMENT,
      /ciphertext has 1025 bytes; a KMS v2 provider takes at most 1024/,
    );
    for (const ciphertext of [Buffer.alloc(0), Buffer.alloc(1), sealed.ciphertext.subarray(0, 113)]) {
      await expectRefused(client.decrypt({ ...sealed, ciphertext }), status.INVALID_ARGUMENT, /ciphertext/);
    }
  });

  it("annotations are refused: claviger never returned any", async () => {
    await expectRefused(
      client.decrypt({ ...sealed, annotations: { "x.claviger.dev": Buffer.from("y") } }),
      status.INVALID_ARGUMENT,
      /annotations/,
    );
  });

  it("another key_id than the ciphertext's is refused, be it unknown, another key's or none", async () => {
    const others = [
      "",
      "unknown",
      keyId.toUpperCase(),
      `${keyId} `,
      await installation.serving("other"),
      "k".repeat(2000),
    ];
    for (const key_id of others) {
      await expectRefused(
        client.decrypt({ ...sealed, key_id }),
        status.INVALID_ARGUMENT,
        /key_id is not the one that the ciphertext was made under/,
      );
    }
  });

  it("a ciphertext of a version that this node has not is NOT_FOUND, and says so", async () => {
    const ciphertext = Buffer.from(sealed.ciphertext);
    noise("foreign version", 16).copy(ciphertext, 18);
    const key = parseKeyId(uuidFromBytes(ciphertext.subarray(2, 18)));
    const version = parseVersionId(uuidFromBytes(ciphertext.subarray(18, 34)));
    const key_id = kmsKeyId(key, version);
    await expectRefused(
      client.decrypt({ ciphertext, key_id }),
      status.NOT_FOUND,
      new RegExp(`no version with key_id ${key_id} is in ${installation.keyringPath}`),
    );
  });

  it("a ciphertext of which any one byte was changed is refused with the same words, wherever it is", async () => {
    const details = new Map<string, number>();
    for (let at = 0; at < sealed.ciphertext.length; at++) {
      const ciphertext = Buffer.from(sealed.ciphertext);
      ciphertext[at] = (ciphertext[at] ?? 0) ^ (1 << (at % 8));
      const error: unknown = await client
        .decrypt({ ...sealed, ciphertext })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: status.INVALID_ARGUMENT });
      const text = error instanceof Error && "details" in error ? String(error.details) : "";
      details.set(text, (details.get(text) ?? 0) + 1);
    }
    expect(Object.fromEntries(details)).toEqual({
      "the ciphertext is not valid for this key, purpose and context": sealed.ciphertext.length - 32,
      // keyId and versionId, which the caller sees in the ciphertext anyway.
      "key_id is not the one that the ciphertext was made under": 32,
    });
  });

  it("whatever is wrong with a ciphertext, the answer is the same; only the log says which it was", async () => {
    const altered = (at: number): Buffer => {
      const ciphertext = Buffer.from(sealed.ciphertext);
      ciphertext[at] = (ciphertext[at] ?? 0) ^ 0x80;
      return ciphertext;
    };
    const flawed: Readonly<Record<string, Buffer>> = {
      Truncated: sealed.ciphertext.subarray(0, 113),
      UnknownFormat: altered(0),
      UnknownSuite: altered(1),
      CommitmentMismatch: altered(66),
      TagMismatch: altered(sealed.ciphertext.length - 1),
    };
    const answers = new Set<string>();
    for (const [flaw, ciphertext] of Object.entries(flawed)) {
      const uid = `flaw-${flaw}`;
      answers.add(await answerTo(client.decrypt({ ...sealed, ciphertext, uid })));
      for (const run of installation.runs) await run.line(new RegExp(` uid=${uid} flaw=${flaw}$`));
    }
    expect([...answers]).toEqual([
      "INVALID_ARGUMENT the ciphertext is not valid for this key, purpose and context",
    ]);
  });

  it("what is answered about a version says nothing of the ciphertext", async () => {
    const [version, other] = await Promise.all([encryptSeed(client, randomBytes(32)), sealed]);
    const foreign = [version.ciphertext, other.ciphertext, noise("garbage", 200)].map((bytes) => {
      const ciphertext = Buffer.from(bytes);
      // The format, the suite and ids that this node does not have.
      Buffer.concat([sealed.ciphertext.subarray(0, 18), noise("another version", 16)]).copy(ciphertext);
      return ciphertext;
    });
    const ids = [2, 18].map((at) => uuidFromBytes(foreign[0]?.subarray(at, at + 16) ?? Buffer.alloc(16)));
    const key_id = kmsKeyId(parseKeyId(ids[0] ?? ""), parseVersionId(ids[1] ?? ""));
    const answers = new Set<string>();
    for (const ciphertext of foreign) answers.add(await answerTo(client.decrypt({ ciphertext, key_id })));
    expect([...answers]).toEqual([expect.stringMatching(/^NOT_FOUND no version with key_id /)]);
  });

  it("the parts of two ciphertexts do not make a third", async () => {
    const other = await encryptSeed(client, randomBytes(32));
    for (const at of [66, 98, sealed.ciphertext.length - 16]) {
      const ciphertext = Buffer.concat([sealed.ciphertext.subarray(0, at), other.ciphertext.subarray(at)]);
      await expectRefused(client.decrypt({ ...sealed, ciphertext }), status.INVALID_ARGUMENT, /not valid/);
    }
  });

  it("two encryptions of one plaintext differ", async () => {
    const again = await encryptSeed(client, sealed.plaintext);
    expect(again.ciphertext.equals(sealed.ciphertext)).toBe(false);
  });

  it("the socket's escaped path as authority is answered, as older API servers send it", async () => {
    const authority = encodeURIComponent(installation.socket());
    expect(authority).toMatch(/^%2F/);
    using call = await RawCall.open(installation.socket(), STATUS, { authority });
    expect((await call.finish(Buffer.alloc(0))).status).toBe("0");
  });

  it("several sockets answer at once, each with its own key, and each opens what any of them encrypted", async () => {
    const [other, again] = [installation.client("other"), installation.client("again")];
    const ids = await Promise.all([client, other, again].map(async (one) => (await one.status()).key_id));
    expect(ids[0]).toBe(ids[2]);
    expect(ids[0]).not.toBe(ids[1]);
    const all = await Promise.all([client, other, again].map((one) => encryptSeed(one, randomBytes(32))));
    for (const one of [client, other, again]) for (const each of all) await expectOpens(one, each);
  });
});

describe("the health service", () => {
  it("answers Check for the server and for the KMS, and does not know others", async () => {
    await using installation = await Installation.create();
    await installation.start("serve");
    await installation.serving();
    const client = installation.client();
    expect(await client.health("")).toBe("SERVING");
    expect(await client.health("v2.KeyManagementService")).toBe("SERVING");
    await expectRefused(client.health("v1.KeyManagementService"), status.NOT_FOUND, /unknown service/);
  });

  it("tells a watcher NOT_SERVING, then SERVING when the key is there, and again when it is disabled and enabled", async () => {
    await using installation = await Installation.create();
    await installation.start("plugin");
    const client = installation.client();
    await eventuallyRefused(() => client.status(), status.UNAVAILABLE, /there is no keyring/);
    const watches = ["", "v2.KeyManagementService"].map((service) => client.watchHealth(service));
    const unknown = client.watchHealth("v1.KeyManagementService");
    const allSaw = (...statuses: string[]) =>
      eventually(`the watchers see ${statuses}`, async () => {
        for (const { seen } of watches) expect(seen).toEqual(statuses);
        return true;
      });
    await allSaw("NOT_SERVING");
    await installation.start("operator");
    await allSaw("NOT_SERVING", "SERVING");
    expect(await client.health("")).toBe("SERVING");
    await installation.manifest("secrets.yaml", masterKey("secrets", { enabled: false }));
    await allSaw("NOT_SERVING", "SERVING", "NOT_SERVING");
    expect(await client.health("")).toBe("NOT_SERVING");
    await installation.manifest("secrets.yaml", masterKey("secrets"));
    await allSaw("NOT_SERVING", "SERVING", "NOT_SERVING", "SERVING");
    expect(unknown.seen).toEqual(["SERVICE_UNKNOWN"]);
  });
});

describe("SIGTERM", () => {
  it("ends a plugin with watchers, idle and half-open connections", async () => {
    await using installation = await Installation.create();
    await installation.start("operator");
    const plugin = await installation.start("plugin");
    await installation.serving();
    const client = installation.client();
    const watches = ["", "v1.KeyManagementService"].map((service) => client.watchHealth(service));
    await eventually("the watchers are told", async () => watches.every(({ seen }) => seen.length === 1));
    const sockets = await Promise.all(
      ["", PREFACE].map(async (bytes) => {
        const socket = connect(installation.socket());
        socket.on("error", () => undefined);
        await once(socket, "connect");
        if (bytes !== "") socket.write(bytes);
        return socket;
      }),
    );
    expect(await plugin.process.stop()).toEqual({ code: 0, signal: null });
    for (const socket of sockets) socket.destroy();
  });
});
