/** How much a run measures. */
export interface Scale {
  readonly kms: { readonly rounds: number; readonly seconds: number };
  readonly starts: number;
  /** Sizes of the keyrings: small and large. */
  readonly versions: { readonly small: number; readonly large: number };
  readonly secrets: {
    /** Of creates, each followed by as many reads. */
    readonly rounds: number;
    readonly perRound: number;
    /** How many Secrets the listed namespace has. */
    readonly listed: number;
    readonly lists: number;
    readonly restarts: number;
  };
  readonly memory: { readonly loadSeconds: number; readonly settleSeconds: number };
}

export const FULL: Scale = {
  kms: { rounds: 7, seconds: 2 },
  starts: 11,
  versions: { small: 10, large: 10_000 },
  secrets: { rounds: 20, perRound: 500, listed: 5_000, lists: 9, restarts: 3 },
  memory: { loadSeconds: 10, settleSeconds: 5 },
};

export const QUICK: Scale = {
  kms: { rounds: 2, seconds: 0.2 },
  starts: 2,
  versions: { small: 10, large: 10_000 },
  secrets: { rounds: 2, perRound: 50, listed: 100, lists: 2, restarts: 1 },
  memory: { loadSeconds: 0.2, settleSeconds: 1 },
};
