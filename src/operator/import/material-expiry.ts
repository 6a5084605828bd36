import type { Finding } from "../../resources/conditions.ts";
import { firstFew } from "../../resources/first-few.ts";
import type { KeyVersion } from "../../resources/resources.ts";
import { DAY_MILLISECONDS, parseTime, timeOf } from "../../times.ts";

/**
 * How long before material expires it is warned of, and in which words: a
 * re-import may need a ceremony with people. Each new reason is a new event.
 */
const WARNINGS = [
  { ahead: DAY_MILLISECONDS, reason: "MaterialExpiresWithinADay" },
  { ahead: 7 * DAY_MILLISECONDS, reason: "MaterialExpiresWithinAWeek" },
  { ahead: 30 * DAY_MILLISECONDS, reason: "MaterialExpiresSoon" },
] as const;

/** A version whose material expires, and when (epoch milliseconds). */
export interface Expiry {
  readonly version: KeyVersion;
  readonly at: number;
}

/** The versions whose material expires, the first to do so first. */
export function expiriesOf(versions: readonly KeyVersion[]): Expiry[] {
  return versions
    .flatMap((version) => {
      const at = parseTime(version.spec.validTo);
      return at === undefined ? [] : [{ version, at }];
    })
    .sort((a, b) => a.at - b.at);
}

/** Whether a version's material has expired. */
export const hasExpired = ({ spec }: KeyVersion, now: Date): boolean => timeOf(spec.validTo) <= now.getTime();

/** The condition MaterialExpiring; undefined for a key none of whose material expires. */
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

const describe = ({ version }: Expiry): string => `version ${version.spec.number} (${version.spec.validTo})`;

/** In how many milliseconds the condition changes by itself; undefined where it does not. */
export function nextExpiryChange(versions: readonly KeyVersion[], now: Date): number | undefined {
  const moments = expiriesOf(versions).flatMap(({ at }) => [...WARNINGS.map(({ ahead }) => at - ahead), at]);
  const ahead = moments.map((moment) => moment - now.getTime()).filter((distance) => distance > 0);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}
