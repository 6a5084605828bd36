import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readRegularText } from "../../files/regular-file.ts";
import { fieldsOf, parsedJson } from "../../json.ts";

/** How many requests a grant has allowed, and when the last one came (epoch milliseconds). */
export interface GrantUse {
  readonly uses: number;
  readonly lastAt: number;
}

/** Uses of grants, by grantId. */
export type GrantUses = ReadonlyMap<string, GrantUse>;

/** 100,000 grants take 10 MB. */
const MAX_BYTES = 64 * 1024 * 1024;
/** A file for each process that serves the API: each writes its own. */
const NAME = /^grant-usage-\d{1,2}\.json$/;

/** Returns the path of the record of one process, which is counted from 0. */
export const grantUsagePath = (stateDir: string, slot: number): string =>
  join(stateDir, `grant-usage-${slot}.json`);

/** Returns the text of a record, as a process keeps it in its file. */
export const grantUsageText = (uses: GrantUses): string =>
  JSON.stringify({
    grants: Object.fromEntries([...uses].map(([grantId, { uses, lastAt }]) => [grantId, [uses, lastAt]])),
  });

/** Reads the record of one process; nothing if there is none, or it is damaged. */
export function readGrantUsage(path: string): GrantUses {
  try {
    const { grants } = fieldsOf(parsedJson(readRegularText(path, { maxBytes: MAX_BYTES })));
    return new Map(Object.entries(fieldsOf(grants)).flatMap(useOf));
  } catch {
    // Counting begins again.
    return new Map();
  }
}

/** Returns the uses of grants on this node, by all processes. */
export function readNodeGrantUsage(stateDir: string): GrantUses {
  const all = new Map<string, GrantUse>();
  for (const name of readdirSync(stateDir).filter((name) => NAME.test(name)))
    for (const [grantId, { uses, lastAt }] of readGrantUsage(join(stateDir, name))) {
      const before = all.get(grantId);
      const sum = { uses: uses + (before?.uses ?? 0), lastAt: Math.max(lastAt, before?.lastAt ?? 0) };
      all.set(grantId, sum);
    }
  return all;
}

function useOf([grantId, value]: readonly [string, unknown]): [string, GrantUse][] {
  if (!Array.isArray(value)) return [];
  const [uses, lastAt]: readonly unknown[] = value;
  return isCount(uses) && isCount(lastAt) ? [[grantId, { uses, lastAt }]] : [];
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
