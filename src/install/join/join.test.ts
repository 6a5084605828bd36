import { createPrivateKey } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Secret } from "../../crypto/secret.ts";
import { createRootKey } from "../../seal/root-key-file.ts";
import { packagedText } from "../objects/packaged.ts";
import { PATHS } from "../paths.ts";
import type { Site } from "../site.ts";
import { openAnswer, sealAnswer } from "./answer.ts";
import { armored, disarmed } from "./armor.ts";
import { encodeBundle, parseBundle } from "./bundle.ts";
import { checkCode, mustHaveCode } from "./check-code.ts";
import { answerRequest, takeAnswer } from "./join.ts";
import { encodeRequest, mustBeRecent, oneTimeKeyPair, parseRequest } from "./request.ts";
import { makeRequest } from "./request-file.ts";

const NOW = Date.parse("2026-11-30T12:00:00Z");
const MANIFEST = `apiVersion: v1
kind: Pod
spec:
  containers:
  - command: [kube-apiserver, --advertise-address=10.0.0.1, --secure-port=6443]
`;
const CLUSTER =
  "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\ncontrolPlaneEndpoint: lb.example:6443\n";
const ENCRYPTION = "the EncryptionConfiguration";

let folder: string;
/** The configurations that kubeadm was given for a kubeconfig. */
let signed: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clv-"));
  signed = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function newSite(name: string): Site {
  const root = join(folder, name);
  mkdirSync(join(root, "etc", "claviger"), { recursive: true, mode: 0o700 });
  mkdirSync(join(root, PATHS.manifests), { recursive: true });
  return {
    root,
    nodeName: name,
    run: async (_, args) => {
      signed.push(readFileSync(args[args.indexOf("--config") + 1] ?? "", "utf8"));
      return { code: 0, stdout: `kubeconfig of ${args[args.indexOf("--client-name") + 1]}`, stderr: "" };
    },
    kube: {
      request: async () => ({ data: { ClusterConfiguration: CLUSTER } }),
      apply: async () => undefined,
    },
    count: async () => ({ rows: [], objects: 0, unlisted: 0 }),
    signal: new AbortController().signal,
  };
}

const put = (site: Site, path: string, text: string) => {
  mkdirSync(dirname(join(site.root, path)), { recursive: true });
  writeFileSync(join(site.root, path), text);
};
const has = (site: Site, path: string) => readFileSync(join(site.root, path));

/** A node with a root key, and all that it gives to others. */
function firstNode(): Site {
  const site = newSite("cp-1");
  createRootKey(join(site.root, PATHS.rootKey));
  put(site, PATHS.apiServer, MANIFEST);
  put(site, PATHS.config, "nodeName: cp-1\nstateDir: /var/lib/claviger\n");
  put(site, PATHS.encryptionConfig, ENCRYPTION);
  put(site, `${PATHS.manifests}/claviger-plugin.yaml`, "the pod");
  put(site, `${PATHS.manifests}/other.yaml`, "not ours");
  return site;
}

const requestOf = (site: Site) => {
  const bytes = makeRequest(site, NOW);
  return { bytes, code: checkCode("request", bytes) };
};
const answered = async (first: Site, second: Site) => {
  const { answer } = await answerRequest(first, requestOf(second), NOW);
  return { bytes: answer, code: checkCode("answer", answer) };
};

describe("claviger join", () => {
  test("brings root key and files over, and the new node's identity instead of the old one's", async () => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    await takeAnswer(second, await answered(first, second));
    expect(has(second, PATHS.rootKey)).toEqual(has(first, PATHS.rootKey));
    expect(statSync(join(second.root, PATHS.rootKey)).mode & 0o777).toBe(0o600);
    expect(has(second, PATHS.encryptionConfig).toString()).toBe(ENCRYPTION);
    expect(has(second, PATHS.config).toString()).toBe("stateDir: /var/lib/claviger\n");
    expect(has(second, PATHS.kubeconfig).toString()).toBe("kubeconfig of claviger-node:cp-2");
    expect(has(second, PATHS.rewriterKubeconfig).toString()).toBe("kubeconfig of claviger-rewriter:cp-2");
    expect(has(second, `${PATHS.manifests}/claviger-plugin.yaml`).toString()).toBe("the pod");
    expect(has(second, PATHS.tmpfiles).toString()).toBe("d /run/claviger 0700 root root -\n");
    expect(() => has(second, `${PATHS.manifests}/other.yaml`)).toThrow("ENOENT");
  });

  test("of a node with the AWS KMS API => its pod and an identity of the new node's own", async () => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    put(
      first,
      PATHS.config,
      `${packagedText("deploy/claviger.yaml")}\naws: { listen: "127.0.0.1:8443", kubeconfig: api.kubeconfig, credentials: c.yaml }\n`,
    );
    put(first, `${PATHS.manifests}/claviger-api.yaml`, "the API's pod");
    await takeAnswer(second, await answered(first, second));
    expect(has(second, PATHS.apiKubeconfig).toString()).toBe("kubeconfig of claviger-api:cp-2");
    expect(has(second, `${PATHS.manifests}/claviger-api.yaml`).toString()).toBe("the API's pod");
  });

  test.each([
    ["that joins the cluster is led to the address of all API servers", undefined, "lb.example:6443"],
    ["with an API server is led to that one", "10.0.0.2", "10.0.0.2:6443"],
  ])("a node %s", async (_, address, endpoint) => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    if (address !== undefined) put(second, PATHS.apiServer, MANIFEST.replace("10.0.0.1", address));
    await takeAnswer(second, await answered(first, second));
    expect(signed[0]).toContain(`controlPlaneEndpoint: ${endpoint}\n`);
  });

  test("neither request nor answer has the root key in it", async () => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    const { bytes } = await answered(first, second);
    const key = has(first, PATHS.rootKey);
    for (const form of [key, Buffer.from(key.toString("base64")), Buffer.from(key.toString("hex"))]) {
      expect(bytes.includes(form)).toBe(false);
    }
  });

  test("an answer opens once: the private key is gone afterwards", async () => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    const carried = await answered(first, second);
    await takeAnswer(second, carried);
    expect(() => statSync(join(second.root, PATHS.joinKey))).toThrow("ENOENT");
    await expect(takeAnswer(second, carried)).rejects.toThrow("each answer opens once");
  });

  test("the answer to an earlier request does not open", async () => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    const old = await answered(first, second);
    makeRequest(second, NOW);
    await expect(takeAnswer(second, old)).rejects.toThrow("for another request than this node's last one");
  });

  test("another node cannot open the answer", async () => {
    const [first, second, third] = [firstNode(), newSite("cp-2"), newSite("cp-3")];
    const carried = await answered(first, second);
    makeRequest(third, NOW);
    await expect(takeAnswer(third, carried)).rejects.toThrow("for another request");
    expect(() => has(third, PATHS.rootKey)).toThrow("ENOENT");
  });

  test("a request that was exchanged on the way is not answered", async () => {
    const [first, second, attacker] = [firstNode(), newSite("cp-2"), newSite("cp-2b")];
    const { code } = requestOf(second);
    const { bytes } = requestOf(attacker);
    await expect(answerRequest(first, { bytes, code }, NOW)).rejects.toThrow(
      "somebody has exchanged the file",
    );
  });

  test("an answer that was exchanged on the way is not taken, though it is encrypted to this node", async () => {
    const [first, second, attacker] = [firstNode(), newSite("cp-2"), newSite("evil")];
    createRootKey(join(attacker.root, PATHS.rootKey));
    put(attacker, PATHS.apiServer, MANIFEST);
    const request = requestOf(second);
    const { answer } = await answerRequest(first, request, NOW);
    const forged = await answerRequest(attacker, request, NOW);
    const carried = { bytes: forged.answer, code: checkCode("answer", answer) };
    await expect(takeAnswer(second, carried)).rejects.toThrow("somebody has exchanged the file");
    expect(() => has(second, PATHS.rootKey)).toThrow("ENOENT");
  });

  test("a root key that is there is not written over", async () => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    const carried = await answered(first, second);
    createRootKey(join(second.root, PATHS.rootKey));
    const before = has(second, PATHS.rootKey);
    await expect(takeAnswer(second, carried)).rejects.toThrow("is another root key than the answer's");
    expect(has(second, PATHS.rootKey)).toEqual(before);
    expect(() => makeRequest(second, NOW)).toThrow("has a root key already");
  });

  test("a file of the node that differs is not written over, and nothing else is written", async () => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    const carried = await answered(first, second);
    put(second, PATHS.encryptionConfig, "its own");
    await expect(takeAnswer(second, carried)).rejects.toThrow(
      `${PATHS.encryptionConfig} is there and differs`,
    );
    expect(() => has(second, PATHS.rootKey)).toThrow("ENOENT");
  });

  test("opening is continued after it was cut off", async () => {
    const [first, second] = [firstNode(), newSite("cp-2")];
    const carried = await answered(first, second);
    writeFileSync(join(second.root, PATHS.rootKey), has(first, PATHS.rootKey), { mode: 0o600 });
    await takeAnswer(second, carried);
    expect(has(second, PATHS.encryptionConfig).toString()).toBe(ENCRYPTION);
  });
});

describe("a request", () => {
  const request = { publicKey: oneTimeKeyPair().publicKey, createdAt: NOW, nodeName: "cp-2", address: "" };
  test("survives its encoding", () => {
    expect(parseRequest(encodeRequest(request))).toEqual(request);
  });
  test.each([
    ["a name that is none", { nodeName: "a\nb" }],
    ["an address that is none", { address: "lb/../x" }],
    ["a time that is none", { createdAt: Number.MAX_SAFE_INTEGER + 1 }],
  ])("with %s is refused", (_, change) => {
    expect(() => parseRequest(encodeRequest({ ...request, ...change }))).toThrow("the request is damaged");
  });
  test.each([
    ["two days old", -2 * 86_400_000],
    ["of tomorrow", 86_400_000],
  ])("%s is not answered", (_, age) => {
    expect(() => mustBeRecent({ ...request, createdAt: NOW + age }, NOW)).toThrow("is not answered");
  });
  test("of any bytes is parsed or refused in one way", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        try {
          expect(encodeRequest(parseRequest(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
        } catch (error) {
          expect(String(error)).toContain("the request is damaged");
        }
      }),
    );
  });
});

describe("an answer", () => {
  const { publicKey, privateKey } = oneTimeKeyPair();
  const request = encodeRequest({ publicKey, createdAt: NOW, nodeName: "cp-2", address: "" });
  const plaintext = Buffer.from("the bundle");

  test("opens for its request and its key", () => {
    const answer = sealAnswer(request, publicKey, plaintext);
    expect(Buffer.from(openAnswer(answer, request, privateKey).exposeSecretBytes())).toEqual(plaintext);
  });
  test("is another one each time", () => {
    expect(sealAnswer(request, publicKey, plaintext)).not.toEqual(sealAnswer(request, publicKey, plaintext));
  });
  test("of which any bit was changed does not open", () => {
    const answer = sealAnswer(request, publicKey, plaintext);
    for (let at = 0; at < answer.length * 8; at += 1) {
      // RFC 7748, section 5: the highest bit of a public key has no meaning. It is bound all the same.
      const altered = Buffer.from(answer);
      altered[at >> 3] = (altered[at >> 3] ?? 0) ^ (1 << (at & 7));
      expect(() => openAnswer(altered, request, privateKey), `bit ${at}`).toThrow();
    }
  });
  test("that is cut off at any byte does not open", () => {
    const answer = sealAnswer(request, publicKey, plaintext);
    for (let length = 0; length < answer.length; length += 1) {
      expect(() => openAnswer(answer.subarray(0, length), request, privateKey)).toThrow();
    }
  });
  test.each([0, 1])("is not made for a public key of small order (%i)", (first) => {
    const weak = Buffer.alloc(32);
    weak[0] = first;
    expect(() => sealAnswer(request, weak, plaintext)).toThrow("damaged, was altered");
  });
});

describe("a bundle", () => {
  const rootKey = () => Secret.random(32);
  const bytesOf = (value: unknown) => Secret.take(Buffer.from(JSON.stringify(value)));
  test("with a file that no answer has is refused: nobody becomes root by an answer", () => {
    const bundle = encodeBundle({
      rootKey: rootKey(),
      files: new Map([["/etc/cron.d/x", "x"]]),
    });
    expect(() => parseBundle(bundle)).toThrow("holds something that no release");
  });
  test.each([
    ["a key of 31 bytes", { rootKey: Buffer.alloc(31).toString("base64"), files: {} }],
    ["no key", { files: {} }],
    [
      "a file that is no text",
      { rootKey: Buffer.alloc(32).toString("base64"), files: { [PATHS.config]: 1 } },
    ],
    ["a list", []],
  ])("with %s is refused", (_, value) => {
    expect(() => parseBundle(bytesOf(value))).toThrow("holds something that no release");
  });
});

describe("a carried file", () => {
  test("survives mail that breaks its line's end", () => {
    const text = armored("answer", Buffer.from("bytes"));
    expect(disarmed("answer", `\r\n${text.trim()}\r\n`)).toEqual(Buffer.from("bytes"));
  });
  test.each([
    ["of the other kind", armored("request", Buffer.from("bytes"))],
    ["with other characters", "claviger-join-answer-v1 a*b="],
    ["that is empty", ""],
    ["that is too long", `claviger-join-answer-v1 ${"A".repeat(400_000)}`],
    ["with two lines", `${armored("answer", Buffer.from("a"))}${armored("answer", Buffer.from("b"))}`],
  ])("%s is refused", (_, text) => {
    expect(() => disarmed("answer", text)).toThrow("this is no answer of claviger join");
  });
});

describe("a code", () => {
  const bytes = Buffer.from("bytes");
  test("has five groups of four characters that do not look alike", () => {
    expect(checkCode("request", bytes)).toMatch(/^([a-hjkmnp-z2-9]{4}-){4}[a-hjkmnp-z2-9]{4}$/);
  });
  test("may be typed in capitals and with spaces", () => {
    const typed = checkCode("answer", bytes).toUpperCase().replaceAll("-", " ");
    expect(() => mustHaveCode("answer", bytes, typed)).not.toThrow();
  });
  test("of a request is none of an answer, and of other bytes another one", () => {
    expect(() => mustHaveCode("answer", bytes, checkCode("request", bytes))).toThrow("does not belong");
    expect(() => mustHaveCode("answer", bytes, "")).toThrow("does not belong");
    expect(checkCode("answer", bytes)).not.toBe(checkCode("answer", Buffer.from("others")));
  });
});

/** Made by release 0.1.0: what it carries must open in every later one. */
const VECTOR = {
  privateKey: "MC4CAQAwBQYDK2VuBCIEIFDGd7VkXNskqXSkRrIsG0Z5mb+UBUhiXLTxpuq+YJdO",
  request: "AQG2tHvnizx7GWapwkiEP8dzQ/7aCzYxcJS+uXbQ1BEDSQAAAaIsU4IABGNwLTINMTAuMC4wLjI6NjQ0Mw==",
  requestCode: "svx2-zpj5-f98h-7d8h-et2z",
  answer:
    "AQFJD7+aQ6JhIDD7lq+8n6Bu7+zrTI0PzMfktTc3o0LtBvZGqPG8BVrlbvm4I9NxwQCFT57Il3loGNLVvf8vFuMydpTKo7xeqXOwVYuKmZo65jGUH10eG6R0cScwyQMBMnfyV6V/KjHrGPktIr0Dy3snezCs0BBrK1E9NdbAZ0zOlJJxEljTPFuYEP6UgMsrk2/OLr8cbdA5ow==",
  answerCode: "sfhe-rqxb-jxgc-d2k7-khbe",
};

test("a request and an answer of format 1 => are read as they were written", () => {
  const [request, answer] = [Buffer.from(VECTOR.request, "base64"), Buffer.from(VECTOR.answer, "base64")];
  expect(parseRequest(request)).toMatchObject({ nodeName: "cp-2", createdAt: NOW, address: "10.0.0.2:6443" });
  expect(checkCode("request", request)).toBe(VECTOR.requestCode);
  expect(checkCode("answer", answer)).toBe(VECTOR.answerCode);
  const der = Buffer.from(VECTOR.privateKey, "base64");
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  expect(Buffer.from(openAnswer(answer, request, privateKey).exposeSecretBytes()).toString()).toBe(
    "a bundle",
  );
});
