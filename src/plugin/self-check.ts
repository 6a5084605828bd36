import { randomUUID } from "node:crypto";
import { Metadata } from "@grpc/grpc-js";

const PREFIX = "self-check-";

/** Returns a uid for a call that claviger makes to its own socket. Those of API servers are UUIDs. */
export const selfCheckUid = (): string => PREFIX + randomUUID();

/** Returns true if a call is such a self-check, which says nothing about an API server. */
export const isSelfCheck = (uid: string): boolean => uid.startsWith(PREFIX);

/** Status has no uid, so a header marks claviger's own calls. */
const HEADER = "claviger-self-check";

export function selfCheckMetadata(): Metadata {
  const metadata = new Metadata();
  metadata.set(HEADER, "1");
  return metadata;
}

export const hasSelfCheckHeader = (metadata: Metadata): boolean => metadata.get(HEADER).length > 0;
