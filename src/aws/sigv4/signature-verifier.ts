import { timingSafeEqual } from "node:crypto";
import { Secret } from "../../crypto/secret.ts";
import { type Authorization, parseAuthorization, type Scope } from "./authorization.ts";
import { canonicalQuery } from "./canonical-query.ts";
import { HeaderList } from "./header-list.ts";
import { expiredToken, incomplete, invalid, mismatch, missingToken, unknownClient } from "./refusals.ts";
import { checkSkew, type RequestTime, requestTime } from "./request-time.ts";
import { checkSignedHeaders } from "./signed-headers.ts";
import { SigningKeys, sha256, signatureOf } from "./signing-keys.ts";

/** A request to the one path "/", as node:http received it. */
export interface SignedRequest {
  readonly method: string;
  /** The query of the URL, without "?"; empty for most clients. */
  readonly query: string;
  /** `rawHeaders` of node:http: names and values in turn, duplicates included. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** The service to which requests are addressed. */
export interface Site {
  readonly region: string;
  readonly service: string;
}

/** A credential that was found for an access key id and, if it has one, its session token. */
export interface Credential {
  readonly secret: Secret;
  /** In epoch milliseconds; a credential without it does not expire. */
  readonly expiresAt?: number;
}

/** The names under which a credential is looked up. */
export interface CredentialName {
  readonly accessKeyId: string;
  /** X-Amz-Security-Token. A credential that has a session token must not be found without it, nor the reverse. */
  readonly sessionToken?: string;
}

/** The access key id of no credential: it has a character that no id has. */
const STRANGER = "-";

/**
 * Verifies requests signed by AWS Signature Version 4 in the Authorization header, for the credentials of one
 * site. It computes and compares the signature for an unknown access key too, so that an answer takes equally
 * long for both.
 */
export class SignatureVerifier {
  readonly #site: Site;
  readonly #keys = new SigningKeys();
  readonly #stranger: Credential = { secret: Secret.random(40) };

  constructor(site: Site) {
    this.#site = site;
  }

  /** Returns the credential that signed the request. Throws AwsError, with AWS's names and texts. */
  verify<C extends Credential>(
    request: SignedRequest,
    find: (name: CredentialName) => C | undefined,
    now: number,
  ): C {
    const claim = this.claimOf(request);
    return this.check(claim, find(claim.name), now);
  }

  /**
   * Returns the claim of a request, in which nothing is verified yet but its form. Throws AwsError. If finding
   * its credential takes time, call `check` then.
   */
  claimOf(request: SignedRequest): Claim {
    const headers = HeaderList.of(request.headers);
    const claim = readClaim(request, headers);
    this.#checkScope(claim.authorization.scope, claim.time);
    checkSignedHeaders(headers, claim.authorization.signedHeaders, claim.time.header);
    checkBodyHash(headers, claim.bodyHash);
    return claim;
  }

  /** Returns the credential that was found for a claim, if it signed the request. Throws AwsError. */
  check<C extends Credential>(claim: Claim, found: C | undefined, now: number): C {
    const expected = this.#signatureOf(claim, found);
    const matches = timingSafeEqual(expected, claim.authorization.signature);
    if (found === undefined) throw unknownClient();
    if (!matches) throw mismatch();
    // Only the owner of the secret learns that the clock or the lifetime is the problem.
    checkSkew(claim.time, now);
    if (found.expiresAt !== undefined && found.expiresAt <= now) throw expiredToken();
    return found;
  }

  #checkScope({ date, region, service, terminator }: Scope, time: RequestTime): void {
    const expected = this.#site;
    if (region !== expected.region) {
      throw invalid(`Credential should be scoped to a valid region: '${expected.region}'.`);
    }
    if (service !== expected.service) {
      throw invalid(`Credential should be scoped to correct service: '${expected.service}'.`);
    }
    if (terminator !== "aws4_request") {
      throw invalid("Credential should be scoped with a valid terminator: 'aws4_request'.");
    }
    if (date !== time.text.slice(0, 8)) {
      throw invalid(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
      );
    }
  }

  #signatureOf(claim: Claim, found: Credential | undefined): Buffer {
    const { accessKeyId, scope } = claim.authorization;
    const { secret } = found ?? this.#stranger;
    const key = this.#keys.keyOf(found === undefined ? STRANGER : accessKeyId, secret, scope);
    return signatureOf(key, claim.time.text, scope, Buffer.from(claim.canonical, "latin1"));
  }
}

/** The claim of a request about itself, before its signature was verified. */
export interface Claim {
  readonly name: CredentialName;
  readonly authorization: Authorization;
  readonly time: RequestTime;
  readonly bodyHash: string;
  /** The canonical request, in latin1. */
  readonly canonical: string;
}

function readClaim(request: SignedRequest, headers: HeaderList): Claim {
  // First the query: a presigned request has no Authorization header, and should be told why it is refused.
  const query = canonicalQuery(request.query);
  const header = headers.single("authorization");
  if (header === undefined) throw missingToken();
  const authorization = parseAuthorization(header);
  const sessionToken = headers.single("x-amz-security-token");
  const { accessKeyId, signedHeaders } = authorization;
  const name = sessionToken === undefined ? { accessKeyId } : { accessKeyId, sessionToken };
  const bodyHash = sha256(request.body);
  let lines = "";
  for (const signed of signedHeaders.names) lines += `${signed}:${trimmed(headers.single(signed) ?? "")}\n`;
  const canonical = `${request.method}\n/\n${query}\n${lines}\n${signedHeaders.text}\n${bodyHash}`;
  return { name, authorization, time: requestTime(headers), bodyHash, canonical };
}

function checkBodyHash(headers: HeaderList, bodyHash: string): void {
  const claimed = headers.single("x-amz-content-sha256");
  if (claimed === undefined || claimed === bodyHash) return;
  if (claimed === "UNSIGNED-PAYLOAD" || claimed.startsWith("STREAMING-")) {
    throw incomplete("The body of the request must be signed: send its SHA-256 as 'x-amz-content-sha256'.");
  }
  throw invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
}

/** Trims a value and makes one space of several, as the signer does. Most values are in this form already. */
const trimmed = (value: string): string =>
  value.includes("  ") || value.includes("\t") || value.startsWith(" ") || value.endsWith(" ")
    ? value
        .split(/[ \t]/)
        .filter((word) => word !== "")
        .join(" ")
    : value;
