import { SETTLE_MILLISECONDS, SILENCE_MILLISECONDS } from "./api-server-times.ts";
import { type Clock, systemClock } from "./clock.ts";

/** The clock of a plugin or an operator, and how long its proofs about an API server take. */
export interface Timing {
  readonly clock: Clock;
  /** After this time an API server that has switched no longer writes under what it wrote before. */
  readonly settleMilliseconds: number;
  /** An API server that has not asked for Status for this long is silent. */
  readonly silenceMilliseconds: number;
}

/** What every released program goes by. A program gets another timing from its caller only, not from its environment. */
export const TIMING: Timing = {
  clock: systemClock,
  settleMilliseconds: SETTLE_MILLISECONDS,
  silenceMilliseconds: SILENCE_MILLISECONDS,
};
