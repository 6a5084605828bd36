import type { TokenGrant } from "../../src/access/decide-access.ts";
import { makeGrantToken } from "../../src/access/grant-token.ts";
import { Secret } from "../../src/crypto/secret.ts";
import { GRANT_OPERATIONS } from "../../src/keyring/grant-row.ts";
import { fileSeal } from "../../src/seal/file.ts";
import { counting, flipped, hex, ids } from "./inputs.ts";

export const GRANT_TOKEN_ABOUT =
  "A grant token: the terms of a grant and an HMAC-SHA-256 of them by HKDF(root key, info claviger/v1/grant-token), in base64.";

export interface GrantTokenVector {
  readonly name: string;
  readonly outcome: "ok" | "Refused";
  readonly rootKey: string;
  readonly token: string;
  /** The terms, with the operations in a text, separated by spaces. */
  readonly grant: Omit<TokenGrant, "operations"> & { readonly operations: string };
}

const ROOT_KEY = counting(32, 0xa0);
const OTHER_ROOT_KEY = counting(32, 0x10);

const PLAIN: TokenGrant = {
  grantId: "0f".repeat(32),
  keyId: ids.key,
  issuedAt: Date.parse("2026-01-02T03:04:05.678Z"),
  granteePrincipal: "arn:aws:iam::000000000000:role/shop/app",
  operations: ["Decrypt"],
};
const WHOLE: TokenGrant = {
  ...PLAIN,
  keyId: ids.otherKey,
  expiresAt: Date.parse("2027-01-02T03:04:05Z"),
  retiringPrincipal: "arn:aws:iam::000000000000:user/alice",
  operations: GRANT_OPERATIONS,
  constraint: { kind: "Equals", context: { tenant: "a", "\u00dc": "\u{1f600}" } },
};

export function grantTokenVectors(): GrantTokenVector[] {
  const made = vector("a grant of one operation", PLAIN);
  return [
    made,
    vector("a grant with everything", WHOLE),
    vector("a grant with a subset of no pairs", { ...PLAIN, constraint: { kind: "Subset", context: {} } }),
    refused("another root key", { ...made, rootKey: hex(OTHER_ROOT_KEY) }),
    refused("another operation", altered(made, 53)),
    refused("a later expiry", altered(made, 49)),
    refused("another grantee", altered(made, 100)),
    refused("an altered MAC", altered(made, -1)),
    refused("a byte less", {
      ...made,
      token: Buffer.from(made.token, "base64").subarray(0, -1).toString("base64"),
    }),
    refused("another alphabet", { ...made, token: `${made.token.slice(0, -1)}_` }),
    refused("nothing", { ...made, token: "" }),
  ];
}

function vector(name: string, grant: TokenGrant): GrantTokenVector {
  const seal = fileSeal(Secret.take(Buffer.from(ROOT_KEY)));
  const token = makeGrantToken(grant, { rootKeyId: seal.rootKeyId, key: seal.derive("grant-token") });
  const operations = grant.operations.join(" ");
  return { name, outcome: "ok", rootKey: hex(ROOT_KEY), token, grant: { ...grant, operations } };
}

const refused = (name: string, made: GrantTokenVector): GrantTokenVector => ({
  ...made,
  name: `${name} is refused`,
  outcome: "Refused",
});

const altered = (made: GrantTokenVector, at: number): GrantTokenVector => ({
  ...made,
  token: flipped(Buffer.from(made.token, "base64"), at).toString("base64"),
});
