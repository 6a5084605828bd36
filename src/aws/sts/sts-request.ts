import { MAX_SESSION_SECONDS } from "../sessions/session.ts";
import { StsError } from "./sts-error.ts";

const VERSION = "2011-06-15";

/** A request to STS that is served. */
export type StsRequest = AssumeRoleRequest | { readonly action: "GetCallerIdentity" };

/** A request for a session in exchange for a ServiceAccount's token. */
export interface AssumeRoleRequest {
  readonly action: "AssumeRoleWithWebIdentity";
  readonly roleArn: string;
  readonly sessionName: string;
  readonly token: string;
  readonly seconds: number;
}

/** The constraints of STS's service model, and their texts. */
interface Limits {
  readonly min: number;
  readonly max: number;
  /** Matches whole values. AWS writes it without its anchors. */
  readonly pattern?: RegExp;
}

const ROLE_ARN: Limits = { min: 20, max: 2048 };
const TOKEN: Limits = { min: 4, max: 20_000 };
const SESSION_NAME: Limits = { min: 2, max: 64, pattern: /^[\w+=,.@-]*$/ };
const SECONDS = { min: 900, max: 43_200 };

/** Members that would narrow the session, or that come from another provider. Ignoring them would widen it. */
const NOT_SERVED = ["Policy", "PolicyArns", "ProviderId"];

/** Reads the fields of a request. Throws StsError, with AWS's texts; none shows a value. */
export function readStsRequest(fields: ReadonlyMap<string, string>): StsRequest {
  const action = fields.get("Action");
  if (action === undefined) throw new StsError("MissingAction", "The request has no Action.");
  const known = fields.get("Version") === VERSION;
  if (known && action === "GetCallerIdentity") return { action };
  if (known && action === "AssumeRoleWithWebIdentity") return readAssumeRole(fields);
  throw new StsError(
    "InvalidAction",
    `Only AssumeRoleWithWebIdentity and GetCallerIdentity of version ${VERSION} are served.`,
  );
}

function readAssumeRole(fields: ReadonlyMap<string, string>): AssumeRoleRequest {
  const other = NOT_SERVED.find((name) => [...fields.keys()].some((field) => isOf(field, name)));
  if (other !== undefined) throw new StsError("ValidationError", `${other} is not supported.`);
  const violations = [
    ...flawsOf("roleArn", fields.get("RoleArn"), ROLE_ARN),
    ...flawsOf("roleSessionName", fields.get("RoleSessionName"), SESSION_NAME),
    ...flawsOf("webIdentityToken", fields.get("WebIdentityToken"), TOKEN),
  ];
  if (violations.length > 0) throw invalid(violations);
  return {
    action: "AssumeRoleWithWebIdentity",
    roleArn: fields.get("RoleArn") ?? "",
    sessionName: fields.get("RoleSessionName") ?? "",
    token: fields.get("WebIdentityToken") ?? "",
    seconds: secondsOf(fields.get("DurationSeconds")),
  };
}

const isOf = (field: string, name: string): boolean => field === name || field.startsWith(`${name}.`);

function flawsOf(path: string, value: string | undefined, { min, max, pattern }: Limits): string[] {
  if (value === undefined)
    return [`Value null at '${path}' failed to satisfy constraint: Member must not be null`];
  const flaws = [
    ...(value.length > max ? [`Member must have length less than or equal to ${max}`] : []),
    ...(value.length < min ? [`Member must have length greater than or equal to ${min}`] : []),
    ...(pattern === undefined || value.length > max || pattern.test(value)
      ? []
      : [`Member must satisfy regular expression pattern: ${pattern.source.slice(1, -1)}`]),
  ];
  return flaws.map((flaw) => `Value at '${path}' failed to satisfy constraint: ${flaw}`);
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return MAX_SESSION_SECONDS;
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds))
    throw new StsError("ValidationError", "DurationSeconds is not a number of seconds.");
  const at = `Value '${seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value`;
  if (seconds > SECONDS.max) throw invalid([`${at} less than or equal to ${SECONDS.max}`]);
  if (seconds < SECONDS.min) throw invalid([`${at} greater than or equal to ${SECONDS.min}`]);
  if (seconds <= MAX_SESSION_SECONDS) return seconds;
  throw new StsError(
    "ValidationError",
    `The requested DurationSeconds exceeds the MaxSessionDuration set for this role: ${MAX_SESSION_SECONDS}.`,
  );
}

const invalid = (violations: readonly string[]): StsError =>
  new StsError(
    "ValidationError",
    `${violations.length} validation error${violations.length === 1 ? "" : "s"} detected: ${violations.join("; ")}`,
  );
