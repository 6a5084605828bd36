import {
  DEFAULT_KEY_SPEC,
  KEY_SPECS,
  KEY_USAGES,
  type KeySpec,
  type KeyUsage,
  ROTATING_KEY_SPECS,
  usageOf,
} from "../../crypto/key-specs.ts";
import type { Fields, Rule } from "./schema.ts";

/** The rules of a MasterKey about its keySpec, derived from the table of key specs. */

const specsFor = (usage: KeyUsage): readonly KeySpec[] => KEY_SPECS.filter((spec) => usageOf(spec) === usage);

/** A family, such as HMAC_, if `specs` are all that it has; undefined otherwise. */
function wholeFamily(specs: readonly KeySpec[]): string | undefined {
  const family = `${specs[0]?.split("_")[0]}_`;
  const members = KEY_SPECS.filter((spec) => spec.startsWith(family));
  const isWhole = members.length === specs.length && specs.every((spec) => spec.startsWith(family));
  return isWhole && specs.length > 1 ? family : undefined;
}

/** The specs as people write them: HMAC_* or SYMMETRIC_DEFAULT. */
function specsText(specs: readonly KeySpec[]): string {
  const family = wholeFamily(specs);
  return family === undefined ? specs.join(", ") : `${family}*`;
}

/** CEL that holds for these specs alone. */
function specsCel(specs: readonly KeySpec[]): string {
  const family = wholeFamily(specs);
  if (family !== undefined) return `self.keySpec.startsWith('${family}')`;
  if (specs.length === 1) return `self.keySpec == '${specs[0]}'`;
  return `self.keySpec in [${specs.map((spec) => `'${spec}'`).join(", ")}]`;
}

/** "SYMMETRIC_DEFAULT is for ENCRYPT_DECRYPT, HMAC_* for GENERATE_VERIFY_MAC" */
function usagesText(): string {
  const [first, ...others] = KEY_USAGES.map((usage) => ({ specs: specsText(specsFor(usage)), usage }));
  return [
    `${first?.specs} is for ${first?.usage}`,
    ...others.map(({ specs, usage }) => `${specs} for ${usage}`),
  ].join(", ");
}

const isKeySpec = (value: unknown): value is KeySpec => KEY_SPECS.some((spec) => spec === value);

/** A keySpec that is none is left to the enum, which has its own message. */
const hasItsUsage = ({ keySpec, keyUsage }: Fields): boolean =>
  !isKeySpec(keySpec) || usageOf(keySpec) === keyUsage;

/** Every spec has one usage, so a rule for each usage but the default one is enough. */
export const usageFitsKeySpec: Rule = {
  cel: KEY_USAGES.filter((usage) => usage !== usageOf(DEFAULT_KEY_SPEC))
    .map((usage) => `${specsCel(specsFor(usage))} == (self.keyUsage == '${usage}')`)
    .join(" && "),
  message: `keyUsage does not fit keySpec: ${usagesText()}`,
  holds: hasItsUsage,
};

export const rotatesIfItMay: Rule = {
  cel: `!has(self.rotation) || ${specsCel(ROTATING_KEY_SPECS)}`,
  message: `rotation is for ${specsText(ROTATING_KEY_SPECS)} keys only`,
  holds: ({ rotation, keySpec }) =>
    rotation === undefined || ROTATING_KEY_SPECS.some((spec) => spec === keySpec),
};
