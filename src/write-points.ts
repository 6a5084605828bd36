/**
 * The places in which claviger changes something that outlives the process. Each is bracketed by
 * writePoint(name, "before") and writePoint(name, "after"), so that a test can kill the process on either
 * side of each (after the model of etcd's gofail). A name that is not in this list does not compile.
 */
export const WRITE_POINTS = [
  "keyring.apply",
  "keyring.scrub",
  "masterkey.status",
  "masterkey.finalizers",
  "keyversion.create",
  "keyversion.seal",
  "keyversion.destroy",
  "keyversion.status",
  "keyalias.status",
  "keygrant.status",
  "keyring.grants",
  "keyserver.status",
  "backup.publish",
  "restore.publish",
  "audit.lines",
  "audit.leaves",
  "audit.state",
  "audit.checkpoint",
  "audit.file",
  "audit.key",
] as const;

export type WritePoint = (typeof WRITE_POINTS)[number];
export type WriteSide = "before" | "after";

/** `CLAVIGER_KILL_AT=keyversion.create:after`; `…:after:2` kills at the second occurrence. */
const target = parseTarget(process.env.CLAVIGER_KILL_AT);
let remaining = target?.occurrence ?? 0;

/** Ends the process as kill -9 would, if a test asked for this very point; otherwise does nothing. */
export function writePoint(name: WritePoint, side: WriteSide): void {
  if (target === undefined || target.name !== name || target.side !== side) return;
  remaining -= 1;
  if (remaining === 0) process.kill(process.pid, "SIGKILL");
}

/** Runs a write between its two points. */
export async function atWritePoint<T>(name: WritePoint, write: () => Promise<T>): Promise<T> {
  writePoint(name, "before");
  const result = await write();
  writePoint(name, "after");
  return result;
}

interface Target {
  readonly name: string;
  readonly side: string;
  readonly occurrence: number;
}

function parseTarget(text: string | undefined): Target | undefined {
  if (text === undefined) return undefined;
  const [name = "", side = "", occurrence = "1"] = text.split(":");
  return { name, side, occurrence: Number(occurrence) };
}
