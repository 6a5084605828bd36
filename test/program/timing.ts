import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { Log } from "../../src/log.ts";
import { TIMING, type Timing } from "../../src/timing.ts";

/** The program that uses the variables of `testTiming`. */
export const TEST_PROGRAM = join(import.meta.dirname, "claviger.ts");

/**
 * Returns true if a process with this environment needs the tests' program, because the shipped program does
 * not read these variables.
 */
export const hasTestTiming = (environment: Readonly<Record<string, string | undefined>>): boolean =>
  Object.keys(environment).some((name) => name.startsWith("CLAVIGER_TEST_"));

/**
 * Returns the timing that the environment asks for:
 *
 *     CLAVIGER_TEST_CLOCK            a file, which says how the clock is changed (see below)
 *     CLAVIGER_TEST_SETTLE_SECONDS   in place of four minutes
 *     CLAVIGER_TEST_SILENCE_SECONDS  in place of three minutes
 *
 * The file of the clock has one or two lines, and may change while the program runs:
 *
 *     2678400         so many seconds have really passed, in addition to the real ones
 *     wall 3456000    this machine's clock is wrong by so many seconds
 */
export function testTiming(environment: NodeJS.ProcessEnv, log: Log): Timing {
  const { CLAVIGER_TEST_CLOCK: file, CLAVIGER_TEST_SETTLE_SECONDS: settle } = environment;
  const silence = environment.CLAVIGER_TEST_SILENCE_SECONDS;
  return {
    clock: file === undefined ? systemClock : changedClock(file, log),
    settleMilliseconds: milliseconds(settle) ?? TIMING.settleMilliseconds,
    silenceMilliseconds: milliseconds(silence) ?? TIMING.silenceMilliseconds,
  };
}

function milliseconds(text: string | undefined): number | undefined {
  const seconds = text === undefined ? undefined : Number(text);
  if (Number.isNaN(seconds)) throw new Error(`${text} is no number of seconds`);
  return seconds === undefined ? undefined : seconds * 1000;
}

function changedClock(file: string, log: Log): Clock {
  const wall = () => Date.now() + changes(file).wall * 1000;
  let isRead = false;
  const ahead = () => {
    // The operator's parts read the clock first when they are created, all in one turn. A test may move the
    // clock after this line.
    if (!isRead) setImmediate(() => log("warn", `the clock is changed by what ${file} says`));
    isRead = true;
    return changes(file).ahead * 1000;
  };
  return {
    now: () => new Date(wall() + ahead()),
    ...{ wall, ahead, uptime: systemClock.uptime },
    longestPause: 500,
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
