import { randomUUID } from "node:crypto";

const PREFIX = "self-check-";

/** The uid of a call that claviger makes to its own socket. Those of API servers are UUIDs. */
export const selfCheckUid = (): string => PREFIX + randomUUID();

/** Whether a call is such a one: it says nothing of what an API server does. */
export const isSelfCheck = (uid: string): boolean => uid.startsWith(PREFIX);
