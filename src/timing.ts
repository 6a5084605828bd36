import { SETTLE_MILLISECONDS, SILENCE_MILLISECONDS } from "./api-server-times.ts";
import { type Clock, systemClock } from "./clock.ts";

/** The clock of a plugin or an operator, and the duration of its proofs about an API server. */
export interface Timing {
  readonly clock: Clock;
  /** How long after its last Status with a former key_id an API server may still write under that key_id. */
  readonly settleMilliseconds: number;
  /** An API server is silent if it has not asked for Status for this long. */
  readonly silenceMilliseconds: number;
}

/**
 * The timing of every released program. Only a program's caller can give it another timing, not its
 * environment.
 */
export const TIMING: Timing = {
  clock: systemClock,
  settleMilliseconds: SETTLE_MILLISECONDS,
  silenceMilliseconds: SILENCE_MILLISECONDS,
};
