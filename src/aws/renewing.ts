import { Complaints } from "../complaints.ts";
import type { Log } from "../log.ts";

/** How often files are looked at. */
const LOOK_MILLISECONDS = 1_000;

/** Something that can be renewed from the disk. `renew` throws if a file changed and cannot be used. */
export interface Renewable {
  readonly name: string;
  readonly renew: () => void;
}

/** Renews each of these every second, and logs why it stays as it was. Returns a function that ends this. */
export function keepRenewed(renewables: readonly Renewable[], log: Log): () => void {
  const complaints = new Complaints(log);
  const timer = setInterval(() => {
    for (const { name, renew } of renewables) complaints.note("error", name, failureOf(renew));
  }, LOOK_MILLISECONDS);
  return () => clearInterval(timer);
}

function failureOf(renew: () => void): unknown {
  try {
    renew();
    return undefined;
  } catch (error) {
    return error;
  }
}
