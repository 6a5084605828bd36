import { createHash } from "node:crypto";
import { type GroupResource, groupResourceText } from "../served/group-resource.ts";
import { publicMessage } from "./rewrite-report.ts";

/** The fields of a StorageVersionMigration of storagemigration.k8s.io/v1 that are used here. */
export interface Migration {
  readonly status?: { readonly conditions?: readonly MigrationCondition[] };
}

interface MigrationCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export type MigrationState =
  | { readonly phase: "Waiting" }
  | ({ readonly phase: "Running" } & MigrationFigures)
  | ({ readonly phase: "Succeeded" } & MigrationFigures)
  | ({ readonly phase: "Failed"; readonly reason: string; readonly message: string } & MigrationFigures);

/** The controller's report about the objects of the resource, which it gives in a sentence. */
export interface MigrationFigures {
  readonly left?: number;
  readonly total?: number;
}

const MAX_NAME = 253;

/** Returns the name for a key_id and a resource, a valid DNS subdomain. */
export function migrationName(kmsKeyId: string, resource: GroupResource): string {
  const text = groupResourceText(resource);
  const name = `claviger-${kmsKeyId}-${text}`;
  if (name.length <= MAX_NAME) return name;
  return `claviger-${kmsKeyId}-${createHash("sha256").update(text).digest("hex")}`;
}

/** Returns the object to create. */
export function newMigration(kmsKeyId: string, resource: GroupResource): object {
  return {
    apiVersion: "storagemigration.k8s.io/v1",
    kind: "StorageVersionMigration",
    metadata: {
      name: migrationName(kmsKeyId, resource),
      labels: { "app.kubernetes.io/managed-by": "claviger" },
    },
    spec: { resource: { group: resource.group, resource: resource.resource } },
  };
}

/** Returns the state of a migration, by its conditions. */
export function migrationState({ status }: Migration): MigrationState {
  const condition = (type: string) =>
    status?.conditions?.find((candidate) => candidate.type === type && candidate.status === "True");
  const running = condition("Running");
  const figures = figuresOf(running?.message ?? "");
  const failed = condition("Failed");
  if (failed !== undefined) {
    return {
      phase: "Failed",
      reason: failed.reason ?? "Failed",
      message: publicMessage(failed.message ?? "", []),
      ...figures,
    };
  }
  if (condition("Succeeded") !== undefined) return { phase: "Succeeded", ...figures };
  return running === undefined ? { phase: "Waiting" } : { phase: "Running", ...figures };
}

/** Parses migrationRunningMessage of k8s.io/kubernetes/pkg/controller/storageversionmigrator/util.go. */
function figuresOf(message: string): MigrationFigures {
  const [, left, of] = /, (\d+)\/(\d+) objects not yet migrated/.exec(message) ?? [];
  if (left !== undefined && of !== undefined) return { left: Number(left), total: Number(of) };
  const all = /, (\d+) objects verified migrated/.exec(message)?.[1];
  return all === undefined ? {} : { left: 0, total: Number(all) };
}
