import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fieldsOf } from "../../json.ts";
import { apiRoundTrip } from "./api-round-trip.ts";

let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clv-trip-"));
});
afterEach(() => {
  server?.close();
  rmSync(folder, { recursive: true });
});

/** Makes a round trip to a server that answers every request with a status and what `answer` makes of its members. */
async function tripTo(status: number, answer: (input: Readonly<Record<string, unknown>>) => object) {
  server = createServer(async (request, response) => {
    response.writeHead(status).end(JSON.stringify(answer(fieldsOf(await json(request)))));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return trip((server.address() as AddressInfo).port);
}

function trip(port: number) {
  const credentials = join(folder, "credentials.yaml");
  const credential = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "s".repeat(40), user: "admin" };
  writeFileSync(credentials, JSON.stringify([{ ...credential, groups: [] }]), { mode: 0o600 });
  const endpoint = `http://127.0.0.1:${port}`;
  return apiRoundTrip({ endpoint, region: "us-local-1", credentials, keyName: "alias/orders" });
}

it("a text that comes back => ok", async () => {
  const trip = await tripTo(200, ({ Plaintext, CiphertextBlob }) => ({
    CiphertextBlob: Plaintext,
    Plaintext: CiphertextBlob,
  }));
  expect(trip).toMatch(/^ok: a text was encrypted and decrypted in [\d.]+ ms$/);
});
it("another text that comes back => FAILED", async () => {
  expect(await tripTo(200, () => ({ CiphertextBlob: "aGVsbG8=", Plaintext: "eA==" }))).toMatch(
    /^FAILED: it did not/,
  );
});
it("an API that does not know the credential, as that of another claviger at the same address => FAILED, and the way out", async () => {
  const refusal = { __type: "UnrecognizedClientException", message: "The security token is invalid." };
  expect(await tripTo(400, () => refusal)).toBe(
    "FAILED: UnrecognizedClientException: The security token is invalid. Another claviger may have this address: choose another aws.listen",
  );
});
it("a server that is no AWS KMS API => FAILED", async () => {
  expect(await tripTo(404, () => [])).toBe("FAILED: HTTP 404");
});
it("nobody at the address => FAILED", async () => {
  expect(await trip(1)).toMatch(/^FAILED: .*ECONNREFUSED/);
});
