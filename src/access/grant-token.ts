import { createHmac, timingSafeEqual } from "node:crypto";
import { canonicalContext, parseContext } from "../crypto/context.ts";
import { parseKeyId, uuidFromBytes, uuidToBytes } from "../crypto/ids.ts";
import type { Secret } from "../crypto/secret.ts";
import { ClavigerError } from "../errors.ts";
import {
  GRANT_OPERATIONS,
  type GrantConstraint,
  type GrantOperation,
  MAX_PRINCIPAL_LENGTH,
} from "../keyring/grant-row.ts";
import type { TokenGrant } from "./decide-access.ts";

/**
 * A grant token: the terms of a grant, with a MAC by a key that is derived from the root key. Every replica can
 * check it by itself. It is not secret: it is of use to the grantee alone.
 *
 *   0       1       2              18         34           42            50
 *   format  suite   rootKeyId(16)  keyId(16)  issuedAt(8)  expiresAt(8)  operations(4)
 *   54             55          87          89           91
 *   constraint(1)  grantId(32) granteeLength(2)  retiringLength(2)  grantee ‖ retiring ‖ context ‖ mac(32)
 *
 * Times are epoch milliseconds; expiresAt is 0 if the grant does not expire. Bit n of `operations` is the n-th of
 * GRANT_OPERATIONS. `constraint` is 0 for none, 1 for Equals, 2 for Subset. `context` is a canonical context
 * (crypto/context.ts), to the end. mac = HMAC-SHA-256(key, everything before it). The text is base64.
 */
const FORMAT = 1;
const SUITE = 1;
const AT = {
  rootKeyId: 2,
  keyId: 18,
  issued: 34,
  expires: 42,
  operations: 50,
  constraint: 54,
  grantId: 55,
} as const;
const GRANTEE_LENGTH_AT = 87;
const RETIRING_LENGTH_AT = 89;
const HEADER_BYTES = 91;
const MAC_BYTES = 32;
/** AWS KMS accepts no longer token. */
const MAX_TOKEN_CHARACTERS = 8192;
const CONSTRAINTS = [undefined, "Equals", "Subset"] as const;

/** The key of grant tokens: derived from the root key with the label `grant-token`. */
export interface TokenKey {
  readonly rootKeyId: string;
  readonly key: Secret;
}

/** Makes the token of a grant. Throws InvalidArgument if its constraint is too long for a token. */
export function makeGrantToken(grant: TokenGrant, { rootKeyId, key }: TokenKey): string {
  const body = encode(grant, rootKeyId);
  const token = Buffer.concat([body, macOf(body, key)]).toString("base64");
  if (token.length <= MAX_TOKEN_CHARACTERS) return token;
  throw new ClavigerError(
    "InvalidArgument",
    "the constraints of the grant are too long for a grant token: use shorter names and values",
  );
}

/**
 * Returns the grant of a token that was made under this root key, unaltered; otherwise undefined, whatever is
 * wrong with it. The MAC is checked before anything is read.
 */
export function readGrantToken(text: string, { rootKeyId, key }: TokenKey): TokenGrant | undefined {
  const bytes = bytesOf(text);
  if (bytes === undefined || bytes.length < HEADER_BYTES + MAC_BYTES) return undefined;
  if (bytes[0] !== FORMAT || bytes[1] !== SUITE) return undefined;
  const body = bytes.subarray(0, bytes.length - MAC_BYTES);
  if (!body.subarray(AT.rootKeyId, AT.keyId).equals(Buffer.from(rootKeyId, "hex"))) return undefined;
  return timingSafeEqual(macOf(body, key), bytes.subarray(body.length)) ? decode(body) : undefined;
}

const macOf = (body: Uint8Array, key: Secret): Buffer =>
  createHmac("sha256", key.exposeSecretKey()).update(body).digest();

/** A text has one form only: Buffer.from alone would ignore foreign characters and superfluous bits. */
function bytesOf(text: string): Buffer | undefined {
  if (text.length > MAX_TOKEN_CHARACTERS) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

function encode(grant: TokenGrant, rootKeyId: string): Buffer {
  const [grantee, retiring] = [grant.granteePrincipal, grant.retiringPrincipal ?? ""].map((principal) => {
    if (principal.length <= MAX_PRINCIPAL_LENGTH) return Buffer.from(principal, "utf8");
    throw new ClavigerError("InvalidArgument", "a principal of the grant is too long");
  }) as [Buffer, Buffer];
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = FORMAT;
  header[1] = SUITE;
  header.write(rootKeyId, AT.rootKeyId, 16, "hex");
  uuidToBytes(grant.keyId).copy(header, AT.keyId);
  header.writeBigUInt64BE(BigInt(grant.issuedAt), AT.issued);
  header.writeBigUInt64BE(BigInt(grant.expiresAt ?? 0), AT.expires);
  header.writeUInt32BE(bitsOf(grant.operations), AT.operations);
  header[AT.constraint] = CONSTRAINTS.indexOf(grant.constraint?.kind);
  header.write(grant.grantId, AT.grantId, 32, "hex");
  header.writeUInt16BE(grantee.length, GRANTEE_LENGTH_AT);
  header.writeUInt16BE(retiring.length, RETIRING_LENGTH_AT);
  return Buffer.concat([header, grantee, retiring, canonicalContext(grant.constraint?.context ?? {})]);
}

/** Reads what `encode` has written. The checks are for a key that leaked, or a mistake of ours. */
function decode(body: Buffer): TokenGrant | undefined {
  const granteeEnd = HEADER_BYTES + body.readUInt16BE(GRANTEE_LENGTH_AT);
  const retiringEnd = granteeEnd + body.readUInt16BE(RETIRING_LENGTH_AT);
  const bits = body.readUInt32BE(AT.operations);
  if (retiringEnd > body.length || bits >= 2 ** GRANT_OPERATIONS.length) return undefined;
  const kind = body[AT.constraint] ?? CONSTRAINTS.length;
  const context = parseContext(body.subarray(retiringEnd));
  if (kind >= CONSTRAINTS.length || context === undefined) return undefined;
  const expiresAt = Number(body.readBigUInt64BE(AT.expires));
  const retiringPrincipal = body.toString("utf8", granteeEnd, retiringEnd);
  const constraint = constraintOf(CONSTRAINTS[kind], context);
  return {
    grantId: body.toString("hex", AT.grantId, GRANTEE_LENGTH_AT),
    keyId: parseKeyId(uuidFromBytes(body.subarray(AT.keyId, AT.issued))),
    issuedAt: Number(body.readBigUInt64BE(AT.issued)),
    ...(expiresAt !== 0 && { expiresAt }),
    operations: GRANT_OPERATIONS.filter((_, bit) => ((bits >>> bit) & 1) === 1),
    ...(constraint !== undefined && { constraint }),
    granteePrincipal: body.toString("utf8", HEADER_BYTES, granteeEnd),
    ...(retiringPrincipal !== "" && { retiringPrincipal }),
  };
}

const constraintOf = (
  kind: GrantConstraint["kind"] | undefined,
  context: GrantConstraint["context"],
): GrantConstraint | undefined => (kind === undefined ? undefined : { kind, context });

const bitsOf = (operations: readonly GrantOperation[]): number =>
  operations.reduce((bits, operation) => bits | (1 << GRANT_OPERATIONS.indexOf(operation)), 0);
