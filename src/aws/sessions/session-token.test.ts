import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseKeyId, parseVersionId } from "../../crypto/ids.ts";
import { Secret } from "../../crypto/secret.ts";
import { openSession, parseSessionToken } from "./session-token.ts";

interface Vector {
  readonly name: string;
  readonly purpose: string;
  readonly keyId: string;
  readonly versionId: string;
  readonly material: string;
  readonly context: { readonly account: string };
  readonly outcome: string;
  readonly message: string;
}
const file = new URL("../../../test/vectors/message-v1.json", import.meta.url);
const { vectors }: { vectors: readonly Vector[] } = JSON.parse(readFileSync(file, "utf8"));
const sessions = vectors.filter(({ purpose }) => purpose === "aws-session");

test("there are vectors of session tokens", () => {
  expect(new Set(sessions.map(({ outcome }) => outcome))).toEqual(
    new Set(["ok", "CommitmentMismatch", "TagMismatch"]),
  );
});

test.each(sessions)("$name", ({ keyId, versionId, material, context, outcome, message }) => {
  const parsed = parseSessionToken(Buffer.from(message, "hex").toString("base64"));
  const key = {
    keyId: parseKeyId(keyId),
    versionId: parseVersionId(versionId),
    material: Secret.take(Buffer.from(material, "hex")),
  };
  const session = parsed && openSession(key, context.account, parsed);
  const expected = {
    accessKeyId: "ASIAAAAAAAAAAAAAAAAA",
    user: "system:serviceaccount:shop:web",
    groups: ["system:serviceaccounts"],
    name: "pod-1",
    expiresAt: 1_800_000_000_000,
  };
  if (outcome === "ok") expect(session).toMatchObject(expected);
  else expect(session).toBeUndefined();
});
