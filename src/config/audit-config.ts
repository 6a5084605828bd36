import { resolve } from "node:path";
import { DNS_NAME, type Section } from "./yaml-section.ts";

/** The audit log of this node. */
export interface AuditConfig {
  /** The file of its newest lines; the other files of the log stand beside it. Absolute. */
  readonly path: string;
  /** The name of the cluster, as checkpoints have it. */
  readonly cluster: string;
  /** The AWS KMS API's answer if a record cannot be written: none but an error, or what it would be without a log. */
  readonly unavailable: (typeof UNAVAILABLE)[number];
  /** A file of this size is closed, and another is begun. */
  readonly segmentBytes: number;
}

const UNAVAILABLE = ["refuse", "continue"] as const;
const MEBIBYTE = 1024 * 1024;
const MOST_MEBIBYTES = 1024;

/** Reads the section `audit`. Throws ConfigInvalid. */
export function auditOf(section: Section | undefined, folder: string): AuditConfig | undefined {
  if (section === undefined) return undefined;
  const mebibytes = section.optionalInteger("segmentMebibytes") ?? 64;
  if (mebibytes < 1 || mebibytes > MOST_MEBIBYTES)
    throw section.wrong("segmentMebibytes", `must be a whole number from 1 to ${MOST_MEBIBYTES}`);
  return {
    path: resolve(folder, section.text("path", /\.jsonl$/)),
    cluster: section.optionalText("cluster", DNS_NAME) ?? "local",
    unavailable: unavailableOf(section),
    segmentBytes: mebibytes * MEBIBYTE,
  };
}

function unavailableOf(section: Section): AuditConfig["unavailable"] {
  const text = section.optionalText("unavailable") ?? "refuse";
  const known = UNAVAILABLE.find((value) => value === text);
  if (known !== undefined) return known;
  throw section.wrong("unavailable", `must be ${UNAVAILABLE.join(" or ")}`);
}
