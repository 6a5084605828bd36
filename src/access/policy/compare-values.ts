import { BlockList, isIP } from "node:net";
import { matchesWildcard } from "./wildcard.ts";

/** Returns true if a text is a boolean as policies have it. */
export const isBoolean = (value: string): boolean => /^(true|false)$/i.test(value);

/** Returns true if a text is a number as policies have it. */
export const isNumber = (value: string): boolean => /^-?\d{1,15}(\.\d{1,15})?$/.test(value);

/** Returns the epoch milliseconds of an ISO 8601 date or of epoch seconds, or NaN. */
export function instant(value: string): number {
  if (/^\d{1,11}$/.test(value)) return Number(value) * 1_000;
  return /^\d{4}-\d{2}-\d{2}(T[\d:.]{5,12}(Z|[+-]\d{2}:\d{2}))?$/.test(value)
    ? Date.parse(value)
    : Number.NaN;
}

const PARTS = 6;
/** The six parts of an ARN; colons of the last part stay. */
const partsOf = (arn: string): string[] => {
  const parts = arn.split(":");
  return [...parts.slice(0, PARTS - 1), parts.slice(PARTS - 1).join(":")];
};

/** Returns true if a text is an ARN, or "*". */
export const isArn = (value: string): boolean => value === "*" || /^arn:([^:]*:){4}.+$/.test(value);

/**
 * Returns true if an ARN matches the ARN of a policy. Each of the six parts is matched by itself, so that a `*` does
 * not reach over a colon.
 */
export function matchesArn(wanted: string, found: string): boolean {
  if (wanted === "*") return true;
  const parts = partsOf(found);
  return partsOf(wanted).every((part, index) => matchesWildcard(part, parts[index] ?? ""));
}

interface Range {
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
}

/** An address, or a range in CIDR notation (RFC 4632). */
function rangeOf(value: string): Range | undefined {
  const [address = "", prefix, ...more] = value.split("/");
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  if (version === 0 || more.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)))
    return undefined;
  const length = Number(prefix ?? bits);
  return length > bits ? undefined : { address, prefix: length, family: version === 4 ? "ipv4" : "ipv6" };
}

/** Returns true if a text is an address or a range of addresses. */
export const isRange = (value: string): boolean => rangeOf(value) !== undefined;

/** Returns true if an address lies in a range. */
export function isInRange(wanted: string, found: string): boolean {
  const range = rangeOf(wanted);
  const version = isIP(found);
  if (range === undefined || version === 0) return false;
  const list = new BlockList();
  list.addSubnet(range.address, range.prefix, range.family);
  return list.check(found, version === 4 ? "ipv4" : "ipv6");
}
