import { randomUUID } from "node:crypto";
import { Metadata } from "@grpc/grpc-js";

const PREFIX = "self-check-";

/** The uid of a call that claviger makes to its own socket. Those of API servers are UUIDs. */
export const selfCheckUid = (): string => PREFIX + randomUUID();

/** Whether a call is such a one: it says nothing of what an API server does. */
export const isSelfCheck = (uid: string): boolean => uid.startsWith(PREFIX);

/** A Status has no uid: a header says that claviger itself asks. */
const HEADER = "claviger-self-check";

export function selfCheckMetadata(): Metadata {
  const metadata = new Metadata();
  metadata.set(HEADER, "1");
  return metadata;
}

export const hasSelfCheckHeader = (metadata: Metadata): boolean => metadata.get(HEADER).length > 0;
