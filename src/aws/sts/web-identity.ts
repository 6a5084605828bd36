import { parsePrincipal, principalArn } from "../../access/principal.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import { StsError } from "./sts-error.ts";
import type { AssumeRoleRequest } from "./sts-request.ts";

/** The API server's answer about a token. */
export type Reviewed =
  | { readonly authenticated: true; readonly user: string; readonly groups: readonly string[] }
  | { readonly authenticated: false };

/** Asks the API server (TokenReview) whose token it is, for the audience of this API. */
export interface TokenReviewer {
  /** Throws if the API server could not be asked. */
  review(token: string): Promise<Reviewed>;
}

/** A session that may be issued. */
export interface AllowedSession {
  readonly user: string;
  readonly groups: readonly string[];
  readonly role: { readonly namespace: string; readonly name: string };
  /** In epoch milliseconds, whole seconds. */
  readonly expiresAt: number;
}

const JWT_PART = /^[A-Za-z0-9_-]+$/;

/**
 * Returns the time at which a token says that it expires, in epoch milliseconds, or undefined if it does not say.
 * Nothing in it is verified. Throws InvalidIdentityToken for a text that is no JWT, about which the API server need
 * not be asked.
 */
export function tokenExpiry(token: string): number | undefined {
  const [header, payload = "", signature, more] = token.split(".", 4);
  const parts = [header, payload, signature];
  if (more !== undefined || !parts.every((part) => part !== undefined && JWT_PART.test(part))) {
    throw invalidToken();
  }
  const { exp } = fieldsOf(parsedJson(Buffer.from(payload, "base64url").toString("utf8")));
  return typeof exp === "number" && Number.isSafeInteger(exp) ? exp * 1000 : undefined;
}

/** Throws ExpiredTokenException, with AWS's text, for a token that says that it has expired. */
export function refuseExpired(expiry: number | undefined, now: number): void {
  if (expiry === undefined || expiry > now) return;
  const seconds = Math.floor(now / 1000);
  throw new StsError(
    "ExpiredTokenException",
    `Token expired: current date/time ${seconds} must be before the expiration date/time ${expiry / 1000}`,
  );
}

/**
 * Returns the session for a token that was reviewed: a ServiceAccount's own role, and never longer than the token.
 * Throws StsError.
 */
export function decideSession(
  { roleArn, seconds }: AssumeRoleRequest,
  reviewed: Reviewed,
  expiry: number | undefined,
  account: string,
  now: number,
): AllowedSession {
  if (!reviewed.authenticated) throw invalidToken();
  const { user, groups } = reviewed;
  const role = parsePrincipal(roleArn, account);
  if (role?.kind !== "role" || roleArn !== principalArn(user, account)) {
    throw new StsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
  }
  const until = Math.min(now + seconds * 1000, expiry ?? Number.POSITIVE_INFINITY);
  return { user, groups, role, expiresAt: Math.floor(until / 1000) * 1000 };
}

const invalidToken = (): StsError =>
  new StsError(
    "InvalidIdentityToken",
    "The web identity token is not a token of this cluster for this audience, or it is no longer valid.",
  );
