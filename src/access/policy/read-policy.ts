import { MalformedPolicy, quoted } from "./malformed-policy.ts";
import type { Patterns, Policy, Statement } from "./policy.ts";
import { readConditions } from "./read-conditions.ts";
import { readPrincipals } from "./read-principals.ts";
import { elementsOf, textsOf } from "./read-values.ts";

/** The limits of a policy; AWS KMS's own is the 32 KiB of its text. */
const MAX_STATEMENTS = 256;
const MAX_PATTERN_LENGTH = 2_048;
/** The printable characters of ASCII. A pattern with a letter that looks like one of them would silently match nothing. */
const IN_ARNS = /^[\x20-\x7e]*$/;
/** A pattern and an encryption context of 8 KiB take the product of their lengths, in which the process answers nobody. */
const MAX_LIKE_LENGTH = 4_096;

const ELEMENTS = ["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS = [
  ...["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"],
  ...["Resource", "NotResource", "Condition"],
];
/** The versions of IAM's policy language. */
const VERSIONS: readonly unknown[] = ["2012-10-17", "2008-10-17", undefined];

/**
 * Checks a key policy in IAM's shape and returns it ready for decisions. `account` is this cluster's account id.
 * Throws MalformedPolicy for everything that would not be decided exactly as it is written: unknown elements,
 * operators and condition keys, policy variables, and a NotPrincipal that allows.
 */
export function readPolicy(document: unknown, account: string): Policy {
  const { Version, Id, Statement } = elementsOf(document, ELEMENTS, "the policy");
  if (!VERSIONS.includes(Version)) throw new MalformedPolicy("Version must be 2012-10-17");
  if (Id !== undefined && typeof Id !== "string") throw new MalformedPolicy("Id must be a text");
  const statements = Array.isArray(Statement) ? Statement : [Statement];
  if (statements.length === 0 || statements.length > MAX_STATEMENTS)
    throw new MalformedPolicy(
      `a policy has 1 to ${MAX_STATEMENTS} statements, and this has ${statements.length}`,
    );
  const policy = {
    statements: statements.map((statement, index) => readStatement(statement, index, account)),
  };
  if (likeLength(policy) > MAX_LIKE_LENGTH)
    throw new MalformedPolicy(
      `the values of StringLike and StringNotLike have more than ${MAX_LIKE_LENGTH} characters together`,
    );
  return policy;
}

const likeLength = ({ statements }: Policy): number =>
  statements
    .flatMap(({ conditions }) => conditions)
    .filter(({ operator }) => operator === "StringLike" || operator === "StringNotLike")
    .flatMap(({ values }) => values)
    .reduce((length, value) => length + value.length, 0);

function readStatement(value: unknown, index: number, account: string): Statement {
  const place = `statement ${index + 1}`;
  const elements = elementsOf(value, STATEMENT_ELEMENTS, place);
  const { Sid, Effect, Condition } = elements;
  if (Sid !== undefined && typeof Sid !== "string") throw new MalformedPolicy(`${place}: Sid must be a text`);
  if (Effect !== "Allow" && Effect !== "Deny")
    throw new MalformedPolicy(`${place}: Effect must be Allow or Deny`);
  const principals = readPrincipals(elements, account, place);
  if (principals.except && Effect === "Allow")
    throw new MalformedPolicy(
      `${place}: NotPrincipal with Allow would allow everybody else; use it with Deny`,
    );
  return {
    name: Sid === undefined || Sid === "" ? place : quoted(Sid),
    effect: Effect,
    principals,
    actions: readPatterns(elements, "Action", place),
    resources: readPatterns(elements, "Resource", place),
    conditions: readConditions(Condition, place),
  };
}

/** A statement without the element matches nothing: AWS KMS accepts it, and it has no effect. */
function readPatterns(
  elements: Readonly<Record<string, unknown>>,
  name: "Action" | "Resource",
  place: string,
): Patterns {
  const [wanted, excepted] = [elements[name], elements[`Not${name}`]];
  if (wanted !== undefined && excepted !== undefined)
    throw new MalformedPolicy(`${place} has both ${name} and Not${name}`);
  const except = excepted !== undefined;
  if (!except && wanted === undefined) return { except: false, patterns: [] };
  const patterns = textsOf(except ? excepted : wanted, `${place}: ${except ? "Not" : ""}${name}`);
  for (const pattern of patterns) checkPattern(pattern, `${place}: ${name}`);
  return { except, patterns };
}

function checkPattern(pattern: string, place: string): void {
  if (pattern.length > MAX_PATTERN_LENGTH)
    throw new MalformedPolicy(`${place} is longer than ${MAX_PATTERN_LENGTH} characters`);
  if (!IN_ARNS.test(pattern))
    throw new MalformedPolicy(`${place}: ${quoted(pattern)} has a character that no action and no key has`);
  if (pattern.includes("${")) throw new MalformedPolicy(`${place}: policy variables are not served`);
}
