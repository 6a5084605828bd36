import { join } from "node:path";
import type { Log } from "../../log.ts";
import { originOf } from "../notes/checkpoint.ts";
import { AuditLog } from "./audit-log.ts";

/** The configuration of a node, as far as its audit log is concerned. */
export interface AuditedNode {
  readonly nodeName: string;
  readonly stateDir: string;
  readonly account: string;
  readonly region: string;
  readonly audit?: {
    readonly path: string;
    readonly cluster: string;
    readonly segmentBytes: number;
  };
}

/** The private key that signs the checkpoints of this node's log. */
const SIGNING_KEY_FILE = "audit-signing-key.json";

/**
 * Returns the audit log of a node for one of its processes; undefined if none is configured. A disk that is broken is
 * noticed at the first line.
 */
export function nodeLog(node: AuditedNode, log: Log): AuditLog | undefined {
  const { nodeName, stateDir, account, region, audit } = node;
  if (audit === undefined) return undefined;
  return new AuditLog({
    path: audit.path,
    keyPath: join(stateDir, SIGNING_KEY_FILE),
    origin: originOf(audit.cluster, nodeName),
    site: { account, region },
    segmentBytes: audit.segmentBytes,
    log,
  });
}
