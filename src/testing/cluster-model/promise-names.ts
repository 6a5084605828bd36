/** The promises of the model. Each is checked wherever it could be broken. */
export const PROMISES = [
  "a version is promoted only when every node has it",
  "a status never goes back to an earlier version",
  "what was asked for once begins once",
  "nothing is destroyed unasked, or before its time",
  "nothing is destroyed that an object is stored under",
  "nothing is destroyed that an API server may still store under",
  "what is stored opens on every node",
  "one version of a key is current",
  "a key_id that was left does not return",
  "nothing is stored under anything else when Complete is said",
  "no API server may store under anything else when Complete is said",
  "Reencrypted is True only while it is Complete",
  "nothing is promoted or said to be complete while a node is not heard of",
  "a promotion is decided on what every node reports at that moment",
  "what is written again is under the key_id that it is written for",
  "a version is said to be erased only once no node holds it",
  "what is written again can be read wherever it could be before",
  "in the end nothing is lost, and what was destroyed stays destroyed",
  "in the end everybody agrees and all that was asked for is done",
  "in the end each rotation has made one version",
] as const;

export type PromiseName = (typeof PROMISES)[number];

/** A failure, and the promise that it breaks. */
export class BrokenPromise extends Error {
  readonly promise: PromiseName;

  constructor(promise: PromiseName, what: string) {
    super(what);
    this.promise = promise;
  }
}

/** Prints how often each promise was checked on something that could have broken it. */
export class PromiseCounts {
  readonly #counts = new Map<PromiseName, number>();

  checked(name: PromiseName, times = 1): void {
    this.#counts.set(name, this.of(name) + times);
  }

  of(name: PromiseName): number {
    return this.#counts.get(name) ?? 0;
  }

  add(others: PromiseCounts): void {
    for (const name of PROMISES) this.checked(name, others.of(name));
  }
}
