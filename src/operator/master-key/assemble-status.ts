import { type Finding, withFindings } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { MasterKeyStatus } from "../../resources/schemas/master-key.ts";

type Fields = Omit<MasterKeyStatus, "conditions">;

/** The share of one decision in a MasterKey's status. */
export interface StatusPart {
  /** Fields of the status. A field that is undefined removes the field of an earlier part. */
  readonly fields: { readonly [K in keyof Fields]?: Fields[K] | undefined };
  readonly findings: readonly Finding[];
  /** Types of conditions that end if no part states them. Other conditions last until they are stated again. */
  readonly ends?: readonly string[];
}

/**
 * Assembles the status of a MasterKey from the decided parts. A later part overrides an earlier part, field
 * by field and condition by condition. The transition time of a condition comes from the stored status alone.
 */
export function assembleStatus(
  { metadata, status }: MasterKey,
  parts: readonly StatusPart[],
  now: Date,
): MasterKeyStatus {
  const findings = new Map(parts.flatMap((part) => part.findings).map((finding) => [finding.type, finding]));
  const ending = new Set(parts.flatMap(({ ends = [] }) => ends));
  const lasting = (status?.conditions ?? []).filter(({ type }) => findings.has(type) || !ending.has(type));
  return {
    ...defined(Object.assign({}, ...parts.map(({ fields }) => fields))),
    conditions: withFindings(lasting, [...findings.values()], metadata.generation, now),
  };
}

const defined = (fields: StatusPart["fields"]): MasterKeyStatus =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
