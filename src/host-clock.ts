import { readFileSync } from "node:fs";

/** The clock of this machine, and what a test has changed about it. */
export interface HostClock {
  /** The time that this machine shows, in epoch milliseconds. Other machines compare it with theirs. */
  wall(): number;
  /** The milliseconds that a test lets pass in addition to the real ones. Always 0 outside tests. */
  ahead(): number;
}

const REAL: HostClock = { wall: () => Date.now(), ahead: () => 0 };

/**
 * Returns the machine's clock. A test names a file in CLAVIGER_TEST_CLOCK with one or two lines:
 *
 *     2678400         so many seconds have really passed, in addition to the real ones
 *     wall 3456000    this machine's clock is wrong by so many seconds
 */
export function hostClock(file = process.env.CLAVIGER_TEST_CLOCK): HostClock {
  if (file === undefined) return REAL;
  return {
    wall: () => Date.now() + changes(file).wall * 1000,
    ahead: () => changes(file).ahead * 1000,
  };
}

function changes(file: string): { readonly wall: number; readonly ahead: number } {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  const isWall = (line: string): boolean => line.startsWith("wall ");
  return {
    wall: seconds(lines.find(isWall)?.slice("wall ".length), file),
    ahead: seconds(
      lines.find((line) => !isWall(line)),
      file,
    ),
  };
}

function seconds(text: string | undefined, file: string): number {
  const number = Number(text ?? "0");
  if (Number.isNaN(number)) throw new Error(`CLAVIGER_TEST_CLOCK: ${file} holds no number`);
  return number;
}
