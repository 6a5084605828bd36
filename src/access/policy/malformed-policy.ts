import { printable } from "../../printable.ts";

/** A key policy that cannot be used. The message says which part and why, and quotes at most a name of it. */
export class MalformedPolicy extends Error {
  override readonly name = "MalformedPolicy";
}

const MAX_QUOTED = 100;

/** Returns a name of the policy in quotation marks, fit for a line of text. */
export const quoted = (name: string): string => `"${printable(name, MAX_QUOTED)}"`;
