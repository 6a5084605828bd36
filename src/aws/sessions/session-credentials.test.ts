import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { encryptMessage, parseMessage } from "../../crypto/message.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import { AwsKeyring, NOW } from "../../testing/aws-keyring.ts";
import { signedHeaders } from "../../testing/aws-signer.ts";
import { deadline } from "../../testing/keyring.ts";
import { SignatureVerifier } from "../sigv4/signature-verifier.ts";
import { SessionCredentials } from "./session-credentials.ts";
import { SessionKeys } from "./session-keys.ts";

const SITE = { account: "000000000000", namespace: "default" };
const APP = {
  user: "system:serviceaccount:shop:web",
  groups: ["system:serviceaccounts", "system:serviceaccounts:shop"],
  name: "pod-1",
  expiresAt: NOW + 900_000,
};

let keyring: AwsKeyring;
beforeEach(() => {
  keyring = new AwsKeyring();
});
afterEach(() => keyring.close());

const sessionKeys = () => new SessionKeys(keyring.live, { namespace: "apps", name: "aws-sessions" });
/** Returns the credentials of a node: nothing is shared between two of them but the keyring. */
const node = (site = SITE) => new SessionCredentials(sessionKeys(), site);

async function ready() {
  const key = await keyring.add("aws-sessions");
  keyring.start();
  return key;
}

describe("a session", () => {
  test("that one node issues is found by another, with its caller and its end", async () => {
    await ready();
    const issued = await node().issue(APP, NOW);
    expect(issued.accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(issued.secretAccessKey).toMatch(/^[A-Za-z0-9+/]{40}$/);
    const found = await node().find(issued, NOW);
    expect(found).toMatchObject({
      expiresAt: APP.expiresAt,
      caller: {
        arn: "arn:aws:iam::000000000000:role/shop/web",
        user: APP.user,
        groups: APP.groups,
        namespace: "shop",
      },
    });
    expect(Buffer.from(found?.secret.exposeSecretBytes() ?? []).toString()).toBe(issued.secretAccessKey);
  });

  test("of a user that is no ServiceAccount has the configured namespace", async () => {
    await ready();
    const issued = await node().issue({ ...APP, user: "alice" }, NOW);
    expect((await node().find(issued, NOW))?.caller.namespace).toBe("default");
  });

  test("of a ServiceAccount whose ARN is longer than any of AWS's is nobody's: it would have another's namespace", async () => {
    await ready();
    const issue = (length: number) =>
      node().issue({ ...APP, user: `system:serviceaccount:shop:${"w".repeat(length)}` }, NOW);
    expect((await node().find(await issue(220), NOW))?.caller.namespace).toBe("shop");
    expect(await node().find(await issue(221), NOW)).toBeUndefined();
  });

  test("signs requests until it expires, and no longer", async () => {
    await ready();
    const { accessKeyId, secretAccessKey, sessionToken } = await node().issue(APP, NOW);
    const verifier = new SignatureVerifier({ region: "us-local-1", service: "kms" });
    const verify = async (at: number) => {
      const headers = await signedHeaders({ accessKeyId, secretAccessKey, sessionToken, at });
      const request = { method: "POST", query: "", headers, body: Buffer.from("{}") };
      const claim = verifier.claimOf(request);
      return verifier.check(claim, await node().find(claim.name, at), at);
    };
    expect(await verify(APP.expiresAt - 1000)).toMatchObject({ caller: { user: APP.user } });
    await expect(verify(APP.expiresAt)).rejects.toMatchObject({ type: "ExpiredTokenException" });
  });

  test("is found only with its own access key id, and not without its token", async () => {
    await ready();
    const credentials = node();
    const [one, two] = [await credentials.issue(APP, NOW), await credentials.issue(APP, NOW)];
    for (const { accessKeyId } of [two, { accessKeyId: "ASIAAAAAAAAAAAAAAAAA" }]) {
      expect(await credentials.find({ ...one, accessKeyId }, NOW)).toBeUndefined();
    }
    expect(await credentials.find({ accessKeyId: one.accessKeyId }, NOW)).toBeUndefined();
    expect(await credentials.find(one, NOW)).toBeDefined();
    expect(await credentials.find({ ...one, accessKeyId: two.accessKeyId }, NOW)).toBeUndefined();
  });

  test("of another account is not found", async () => {
    await ready();
    const issued = await node({ ...SITE, account: "111111111111" }).issue(APP, NOW);
    expect(await node().find(issued, NOW)).toBeUndefined();
  });

  test("with any bit of its token changed is not found, nor with a text that means the same bytes", async () => {
    await ready();
    const issued = await node().issue(APP, NOW);
    const bytes = Buffer.from(issued.sessionToken, "base64");
    const credentials = node();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const sessionToken = changed.toString("base64");
      expect(await credentials.find({ ...issued, sessionToken }, NOW)).toBeUndefined();
    }
    for (const sessionToken of [
      `${issued.sessionToken} `,
      issued.sessionToken.replaceAll("+", "-"),
      "",
      "!",
    ]) {
      if (sessionToken === issued.sessionToken) continue;
      expect(await credentials.find({ ...issued, sessionToken }, NOW)).toBeUndefined();
    }
  });
});

describe("the key of sessions", () => {
  test("rotated => sessions under the version before are found, and new ones are under the new version", async () => {
    const key = await keyring.add("aws-sessions");
    const old = keyring.start();
    const issued = await node().issue(APP, NOW);
    const second = await keyring.addVersion(key, { number: 2 });
    await vi.waitFor(async () => {
      const { sessionToken } = await node().issue(APP, NOW);
      expect(parseMessage(Buffer.from(sessionToken, "base64")).versionId).toBe(second.versionId);
    }, deadline);
    expect(old).toBe(keyring);
    expect(await node().find(issued, NOW)).toBeDefined();
  });

  test("disabled => no session is issued, and those that were used already are not found", async () => {
    const key = await ready();
    const credentials = node();
    const issued = await credentials.issue(APP, NOW);
    expect(await credentials.find(issued, NOW)).toBeDefined();
    keyring.apply({ kind: "putKey", key: { ...key, enabled: false } });
    await vi.waitFor(async () => expect(await credentials.find(issued, NOW)).toBeUndefined(), deadline);
    await expect(credentials.issue(APP, NOW)).rejects.toMatchObject({ code: "KeyDisabled" });
  });

  test("with imported material, which somebody knows => no session is issued or found", async () => {
    const key = await keyring.add("aws-sessions", {}, { origin: "EXTERNAL" });
    keyring.start();
    await expect(node().issue(APP, NOW)).rejects.toThrow("material that claviger generated");
    const version = keyring.keys.current(keyring.keys.withId(key.keyId) ?? never());
    const own = {
      current: async () => ({ ...(version ?? never()), material: await material(version) }),
      find: async () => undefined,
    };
    const forged = await new SessionCredentials(own, SITE).issue(APP, NOW);
    expect(await node().find(forged, NOW)).toBeUndefined();
  });

  test("another key of the keyring => a session under it is not found", async () => {
    await keyring.add("orders");
    await ready();
    const orders = new SessionKeys(keyring.live, { namespace: "apps", name: "orders" });
    const forged = await new SessionCredentials(orders, SITE).issue(APP, NOW);
    expect(await node().find(forged, NOW)).toBeUndefined();
  });

  test("a ciphertext that the key encrypts for an application is no session", async () => {
    const key = await ready();
    const version = keyring.keys.current(keyring.keys.withId(key.keyId) ?? never()) ?? never();
    const session = {
      accessKeyId: "ASIAAAAAAAAAAAAAAAAA",
      user: "root",
      groups: ["system:masters"],
      name: "n",
    };
    const plaintext = Buffer.from(JSON.stringify({ ...session, secret: "s", expiresAt: NOW }));
    const { keyId, versionId } = version;
    const scope = { keyId, versionId, material: await material(version), context: { account: SITE.account } };
    const forged = (purpose: "aws-kms" | "aws-session") => ({
      ...session,
      sessionToken: encryptMessage({ ...scope, purpose }, plaintext).toString("base64"),
    });
    expect(await node().find(forged("aws-kms"), NOW)).toBeUndefined();
    expect(await node().find(forged("aws-session"), NOW)).toBeDefined();
  });

  test("missing => no session is issued", async () => {
    keyring.start();
    await expect(node().issue(APP, NOW)).rejects.toThrow("MasterKey apps/aws-sessions is not in the keyring");
  });
});

const material = (version: VersionRow | undefined) => keyring.keys.material(version ?? never());

function never(): never {
  throw new Error("the key has no version");
}
