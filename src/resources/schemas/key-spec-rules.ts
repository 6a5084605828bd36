import {
  KEY_SPECS,
  KEY_USAGES,
  type KeySpec,
  type KeyUsage,
  mayHaveUsage,
  ROTATING_KEY_SPECS,
} from "../../crypto/key-specs.ts";
import type { Fields, Rule } from "./schema.ts";

/** The rules of a MasterKey about its keySpec, derived from the table of key specs. */

const specsFor = (usage: KeyUsage): readonly KeySpec[] =>
  KEY_SPECS.filter((spec) => mayHaveUsage(spec, usage));

/** Beginnings of names that stand for all specs which have them, the longest families first. */
const FAMILIES = ["HMAC_", "RSA_", "ECC_", "ECC_NIST_P", "ML_DSA_", "ML_KEM_"] as const;

/** Specs, as whole families and single names. */
interface Named {
  readonly families: readonly string[];
  readonly others: readonly KeySpec[];
}

function named(specs: readonly KeySpec[]): Named {
  const families: string[] = [];
  const isCovered = (spec: KeySpec): boolean => families.some((family) => spec.startsWith(family));
  for (const family of FAMILIES) {
    const members = KEY_SPECS.filter((spec) => spec.startsWith(family));
    if (members.every((spec) => specs.includes(spec) && !isCovered(spec))) families.push(family);
  }
  return { families, others: specs.filter((spec) => !isCovered(spec)) };
}

/** The specs as people write them: SYMMETRIC_DEFAULT and RSA_*. */
function specsText(specs: readonly KeySpec[]): string {
  const { families, others } = named(specs);
  const all = [...others, ...families.map((family) => `${family}*`)];
  return [all.slice(0, -1).join(", "), ...all.slice(-1)].filter((part) => part !== "").join(" and ");
}

/** CEL that holds for these specs alone. */
function specsCel(specs: readonly KeySpec[]): string {
  const { families, others } = named(specs);
  return [
    ...others.map((spec) => `self.keySpec == '${spec}'`),
    ...families.map((family) => `self.keySpec.startsWith('${family}')`),
  ].join(" || ");
}

/** "ENCRYPT_DECRYPT is for SYMMETRIC_DEFAULT and RSA_*, GENERATE_VERIFY_MAC for HMAC_*" */
const usagesText = (): string =>
  KEY_USAGES.map((usage, at) => `${usage} ${at === 0 ? "is " : ""}for ${specsText(specsFor(usage))}`).join(
    ", ",
  );

const isKeySpec = (value: unknown): value is KeySpec => KEY_SPECS.some((spec) => spec === value);

/** A keySpec that is none is left to the enum, which has its own message. */
const hasItsUsage = ({ keySpec, keyUsage }: Fields): boolean =>
  !isKeySpec(keySpec) || mayHaveUsage(keySpec, String(keyUsage));

/** A spec may have several usages, so the rule names the specs of each usage. */
export const usageFitsKeySpec: Rule = {
  cel: KEY_USAGES.map((usage) => `(self.keyUsage != '${usage}' || ${specsCel(specsFor(usage))})`).join(
    " && ",
  ),
  message: `keyUsage does not fit keySpec: ${usagesText()}`,
  holds: hasItsUsage,
};

export const rotatesIfItMay: Rule = {
  cel: `!has(self.rotation) || ${specsCel(ROTATING_KEY_SPECS)}`,
  message: `rotation is for ${specsText(ROTATING_KEY_SPECS)} keys only`,
  holds: ({ rotation, keySpec }) =>
    rotation === undefined || ROTATING_KEY_SPECS.some((spec) => spec === keySpec),
};
