import type { Finding } from "../../resources/conditions.ts";
import { firstFew } from "../../resources/first-few.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { DAY_MILLISECONDS, parseTime, timeOf } from "../../times.ts";

/**
 * The times before the expiry of material at which it is reported, and the words: a re-import may need a
 * ceremony with people. Each new reason is a new event.
 */
const WARNINGS = [
  { ahead: DAY_MILLISECONDS, reason: "MaterialExpiresWithinADay" },
  { ahead: 7 * DAY_MILLISECONDS, reason: "MaterialExpiresWithinAWeek" },
  { ahead: 30 * DAY_MILLISECONDS, reason: "MaterialExpiresSoon" },
] as const;

/** A version whose material expires, and the time (epoch milliseconds). */
export interface Expiry {
  readonly version: KeyVersion;
  readonly at: number;
}

/** Returns the versions whose material expires, the earliest first. */
export function expiriesOf(versions: readonly KeyVersion[]): Expiry[] {
  return versions
    .flatMap((version) => {
      const at = parseTime(version.spec.validTo);
      return at === undefined ? [] : [{ version, at }];
    })
    .sort((a, b) => a.at - b.at);
}

/** Returns true if a version's material has expired. */
export const hasExpired = ({ spec }: KeyVersion, now: Date): boolean => timeOf(spec.validTo) <= now.getTime();

/**
 * Returns true if a version's material was deleted. Its use ended when the version was created: that is past by
 * every clock, also by one that is behind or is set back later.
 */
export const isDeleted = ({ metadata, spec }: KeyVersion): boolean =>
  timeOf(spec.validTo) === timeOf(metadata.creationTimestamp);

/** Returns the condition MaterialExpiring, or undefined if none of the key's material expires. */
export function expiryFinding(versions: readonly KeyVersion[], now: Date): Finding | undefined {
  const expiries = expiriesOf(versions);
  const [first] = expiries;
  if (first === undefined) return undefined;
  const type = "MaterialExpiring";
  const expired = expiries.filter(({ at }) => at <= now.getTime());
  if (expired.length > 0) {
    const message = `expired: ${list(expired)}; what is encrypted under it is refused until the same material is imported again`;
    return { type, status: "True", reason: "MaterialExpired", message };
  }
  const warning = WARNINGS.find(({ ahead }) => first.at - now.getTime() < ahead);
  if (warning !== undefined) {
    const soon = expiries.filter(({ at }) => at - now.getTime() < warning.ahead);
    const message = `expiring: ${list(soon)}; import the same material again with a later validTo, or the API server's data under it becomes unreadable`;
    return { type, status: "True", reason: warning.reason, message };
  }
  return { type, status: "False", reason: "NotSoon", message: `the first to expire: ${describe(first)}` };
}

const list = (expiries: readonly Expiry[]): string => firstFew(expiries.map(describe), 20);

const describe = ({ version }: Expiry): string =>
  `version ${version.spec.number} (${isDeleted(version) ? "deleted" : version.spec.validTo})`;

/** Returns in how many milliseconds the condition changes by itself, or undefined if it does not. */
export function nextExpiryChange(versions: readonly KeyVersion[], now: Date): number | undefined {
  const moments = expiriesOf(versions).flatMap(({ at }) => [...WARNINGS.map(({ ahead }) => at - ahead), at]);
  const ahead = moments.map((moment) => moment - now.getTime()).filter((distance) => distance > 0);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}
