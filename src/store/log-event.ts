import type { Log } from "../log.ts";
import { oneLine } from "../printable.ts";
import type { ObjectRef, ResourceEvent } from "./events.ts";

/** The limit in bytes of the note of events.k8s.io/v1. A longer Event is refused. */
export const MAX_NOTE_BYTES = 1024;

/**
 * Logs every event that EventLimiter admits, whatever becomes of the Event, so that it is found even if
 * nobody can ask the API server.
 */
export function logEvent(log: Log, { kind, metadata }: ObjectRef, event: ResourceEvent): void {
  const { namespace, name } = metadata;
  const object = namespace === undefined ? name : `${namespace}/${name}`;
  const level = event.type === "Normal" ? "info" : "warn";
  log(level, `${kind} ${object}: ${event.message}`, { reason: event.reason });
}

/** Returns as much of a message as an Event's note may have, in whole characters. */
export const noteOf = (message: string): string =>
  new TextDecoder().decode(Buffer.from(oneLine(message)).subarray(0, MAX_NOTE_BYTES), { stream: true });
