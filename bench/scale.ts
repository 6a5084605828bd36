/** The size of a run. */
export interface Scale {
  readonly kms: { readonly rounds: number; readonly seconds: number };
  readonly aws: { readonly rounds: number; readonly seconds: number };
  readonly starts: number;
  /** How many distinct data key seeds are opened after a start. */
  readonly seeds: readonly number[];
  /** Sizes of the keyrings: small and large. */
  readonly versions: { readonly small: number; readonly large: number };
  readonly secrets: {
    /** Rounds of creates, each followed by as many reads. */
    readonly rounds: number;
    readonly perRound: number;
    /** The number of Secrets in the listed namespace. */
    readonly listed: number;
    readonly lists: number;
    readonly restarts: number;
  };
  readonly reencrypt: {
    /** Rounds of creates, each followed by a rewrite of all Secrets so far. */
    readonly rounds: number;
    readonly perRound: number;
    /** The numbers of Secrets that are rewritten while memory is measured, in ascending order. */
    readonly sizes: readonly number[];
  };
  /** How many grants a keyring has. */
  readonly grants: readonly number[];
  readonly memory: { readonly loadSeconds: number; readonly settleSeconds: number };
}

export const FULL: Scale = {
  kms: { rounds: 7, seconds: 2 },
  aws: { rounds: 5, seconds: 1 },
  starts: 11,
  seeds: [1, 150, 1_000],
  versions: { small: 10, large: 10_000 },
  secrets: { rounds: 20, perRound: 500, listed: 5_000, lists: 9, restarts: 3 },
  reencrypt: { rounds: 6, perRound: 2_000, sizes: [1_000, 10_000, 50_000] },
  grants: [10, 10_000, 100_000],
  memory: { loadSeconds: 10, settleSeconds: 5 },
};

export const QUICK: Scale = {
  kms: { rounds: 2, seconds: 0.2 },
  aws: { rounds: 2, seconds: 0.2 },
  starts: 2,
  seeds: [1, 50],
  versions: { small: 10, large: 10_000 },
  secrets: { rounds: 2, perRound: 50, listed: 100, lists: 2, restarts: 1 },
  reencrypt: { rounds: 2, perRound: 200, sizes: [100, 1_000] },
  grants: [10, 1_000],
  memory: { loadSeconds: 0.2, settleSeconds: 1 },
};
