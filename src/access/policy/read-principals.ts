import { parsePrincipal, rootArn } from "../principal.ts";
import { MalformedPolicy, quoted } from "./malformed-policy.ts";
import type { Principals } from "./policy.ts";
import { objectOf, textsOf } from "./read-values.ts";

/**
 * Reads Principal or NotPrincipal: "*", or `{ "AWS": … }` with ARNs, account ids and "*". Services and
 * federations are never callers of this cluster, so naming them is refused, not ignored. Throws MalformedPolicy.
 */
export function readPrincipals(
  { Principal, NotPrincipal }: Readonly<Record<string, unknown>>,
  account: string,
  place: string,
): Principals {
  if ((Principal === undefined) === (NotPrincipal === undefined))
    throw new MalformedPolicy(`${place} needs a Principal or a NotPrincipal`);
  const except = Principal === undefined;
  return { except, names: namesOf(except ? NotPrincipal : Principal, account, place) };
}

function namesOf(value: unknown, account: string, place: string): readonly string[] {
  if (value === "*") return ["*"];
  const { AWS, ...others } = objectOf(value, `${place}: the principal`);
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw new MalformedPolicy(
      `${place}: no principal of the kind ${quoted(other)} comes here; only AWS does`,
    );
  return textsOf(AWS, `${place}: the principal`).map((name) => nameOf(name, account, place));
}

function nameOf(name: string, account: string, place: string): string {
  if (name === "*") return name;
  if (/^\d{12}$/.test(name)) return rootArn(name);
  if (parsePrincipal(name, account) === undefined)
    throw new MalformedPolicy(
      `${place}: ${quoted(name)} is no ARN of a principal; wildcards count only as "*"`,
    );
  return name;
}
