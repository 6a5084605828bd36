import { ClavigerError } from "../errors.ts";
import type { Leadership } from "../store/roles.ts";

/**
 * Throws Conflict if this operator does not lead any more. Call this directly before a write: a process that
 * was stopped continues in the middle of a pass, with stale data. The resourceVersion stops its write only if
 * the next leader has changed the same object.
 */
export function mustLead(store: Leadership, what: string): void {
  if (store.leading) return;
  throw new ClavigerError(
    "Conflict",
    `${what} was not written: this operator no longer leads, and another operator will decide again`,
  );
}
