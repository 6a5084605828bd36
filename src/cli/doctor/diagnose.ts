import { allFindings } from "../../chain.ts";
import { type Check, check, type Finding } from "./check.ts";
import { clusterChecks } from "./check-cluster.ts";
import { encryptionChecks } from "./check-encryption.ts";
import { grantChecks } from "./check-grants.ts";
import { keyChecks } from "./check-keys.ts";
import { nodeChecks } from "./check-node.ts";
import { storedChecks } from "./check-stored.ts";
import { versionChecks } from "./check-version.ts";
import type { Observed, Sight } from "./observed.ts";

export interface Diagnosis {
  /** Errors first, otherwise in the order of the checks. */
  readonly findings: readonly Finding[];
  readonly unchecked: readonly Unchecked[];
  /** Names of the checks that were run. */
  readonly made: readonly string[];
}

/** A subject about which the report says nothing. */
export interface Unchecked {
  readonly what: string;
  readonly why: string;
  /** Names of the checks that were not run because this was missing. */
  readonly checks: readonly string[];
  readonly remedy: string;
}

interface SightText {
  readonly what: string;
  readonly remedy: string;
}

const sights: { readonly [S in Sight]: SightText } = {
  encryptionConfig: {
    what: "the EncryptionConfiguration",
    remedy: "encryptionConfig must name the API server's file, and this user must be allowed to read it",
  },
  keyring: {
    what: "this node's keyring",
    remedy: "start the operator, and run doctor as the user that claviger runs as",
  },
  resources: {
    what: "MasterKeys, KeyAliases and KeyServers",
    remedy: "see whether the API server runs and what deploy/rbac.yaml lets this node's kubeconfig do",
  },
  leases: {
    what: "the nodes' Leases",
    remedy: "see whether the API server runs and what deploy/rbac.yaml lets this node's kubeconfig do",
  },
  apiServer: {
    what: "which EncryptionConfiguration this node's API server uses",
    remedy: "see whether the API server runs",
  },
  kubeadm: {
    what: "the API server's flags and mounts in kubeadm's configuration",
    remedy: "see whether the API server runs",
  },
  clock: { what: "the API server's clock", remedy: "see whether the API server runs" },
  kubernetes: { what: "the API server's version", remedy: "see whether the API server runs" },
  grants: {
    what: "KeyGrants, and the admission policies that guard them and key policies",
    remedy: "see whether the API server runs and what deploy/rbac.yaml lets this node's kubeconfig do",
  },
  rights: {
    what: "the rewriter's rights",
    remedy:
      "see whether the API server runs, and whether rewriter.kubeconfig is as docs/install/by-hand.md, step 3, says",
  },
  secretRights: {
    what: "what this node's kubeconfig may do with Secrets",
    remedy: "see whether the API server runs",
  },
  etcd: {
    what: "what etcd holds",
    remedy: "see whether etcd runs, and what etcd.cert may read there",
  },
};

/** A source that exists and does not answer is an error too, because nobody knows whether all is well. */
const couldNotLook: Check = check("CouldNotLook", [], (_, { looks }) => {
  const failed = new Map<string, Sight[]>();
  for (const sight of Object.keys(sights) as Sight[]) {
    const look = looks[sight];
    if (look.kind === "failed") failed.set(look.reason, [...(failed.get(look.reason) ?? []), sight]);
  }
  return [...failed].map(([message, [first = "resources", ...rest]]) => ({
    severity: "error",
    object: [first, ...rest].map((sight) => sights[sight].what).join(", "),
    message,
    remedy: sights[first].remedy,
  }));
});

/** All checks, in the order in which they run. */
export const checks: readonly Check[] = [
  couldNotLook,
  ...encryptionChecks,
  ...nodeChecks,
  ...versionChecks,
  ...grantChecks,
  ...clusterChecks,
  ...keyChecks,
  ...storedChecks,
];

/** Subjects that no program on this node can know. */
const reminders: readonly Unchecked[] = [
  {
    what: "whether the root key has a backup",
    why: "claviger keeps no record of copies, and can see none",
    checks: [],
    remedy: "keep the 32 bytes in two places apart from all other backups: docs/operations/backup-restore.md",
  },
  {
    what: "whether the keyring has a backup, and that backup opens",
    why: "claviger keeps no record of backups",
    checks: [],
    remedy: "run claviger backup every night; it opens every version that it writes",
  },
  {
    what: "root key files, order of providers and timeouts on other nodes",
    why: "they lie there",
    checks: [],
    remedy: "run claviger doctor on every node",
  },
];

/** Added if the API server does not report its file itself. */
const unknownFile: Unchecked = {
  what: "whether the API server runs with this EncryptionConfiguration",
  why: "a file that was edited is used after a restart, or after a reload if automatic reload is on",
  checks: [],
  remedy: "claviger census shows by which provider a new Secret was stored",
};

const saysItsFile = ({ looks: { apiServer } }: Observed): boolean =>
  apiServer.kind === "seen" && apiServer.value.status.encryptionConfig !== "Unknown";

/** Runs every check for which there are enough observations. */
export function diagnose(observed: Observed, now: Date): Diagnosis {
  const results = allFindings(checks, observed, now);
  const findings = results.flatMap(({ check: { name }, found = [] }) =>
    found.map((problem) => ({ check: name, ...problem })),
  );
  const left = results.filter(({ found }) => found === undefined).map(({ check }) => check);
  return {
    findings: findings.toSorted((a, b) => Number(b.severity === "error") - Number(a.severity === "error")),
    unchecked: [...unseen(observed, left), ...reminders, ...(saysItsFile(observed) ? [] : [unknownFile])],
    made: results.filter(({ found }) => found !== undefined).map(({ check }) => check.name),
  };
}

const NOT_CONFIGURED = "no error; docs/reference.md, Configuration, has what can be set";

/** Returns the checks that could not be made; subjects with the same reason are one entry. */
function unseen({ looks }: Observed, left: readonly Pick<Check, "name" | "needs">[]): Unchecked[] {
  const byReason = new Map<string, Unchecked>();
  for (const sight of Object.keys(sights) as Sight[]) {
    const look = looks[sight];
    if (look.kind === "seen") continue;
    const names = left.filter(({ needs }) => needs.includes(sight)).map(({ name }) => name);
    const { what, remedy } = sights[sight];
    const same = byReason.get(look.reason);
    byReason.set(look.reason, {
      what: same === undefined ? what : `${same.what}, ${what}`,
      why: look.reason,
      checks: [...new Set([...(same?.checks ?? []), ...names])],
      remedy: same?.remedy ?? (look.kind === "absent" ? NOT_CONFIGURED : remedy),
    });
  }
  return [...byReason.values()];
}
