import { getPriority, setPriority } from "node:os";

const NICE = 5;

/**
 * Lowers the priority of this process, as nice(1) does: on a busy node the API server's plugin comes first. It
 * changes nothing while a processor is free.
 */
export function giveWay(): void {
  // Only root may raise a priority that was lower before.
  if (process.platform === "linux" && getPriority() < NICE) setPriority(NICE);
}
