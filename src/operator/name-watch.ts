/** One foreign renewal may be the last one of a former life. */
const FOREIGN_LOOKS = 2;
/** So many renewals of ours in a row that nobody else came between. */
const OWN_LOOKS = 3;

/**
 * Tells whether another operator renews this node's Lease too: two machines that were
 * given one nodeName overwrite one another's KeyServer, and each passes for the other.
 */
export class NameWatch {
  readonly #own: string;
  #first = true;
  #foreign = 0;
  #ownInARow = 0;
  #shared = false;

  constructor(own: string) {
    this.#own = own;
  }

  /** Takes in who holds the Lease before each renewal of ours. Returns whether the name is shared. */
  saw(holder: string | undefined): boolean {
    // A former life's.
    const first = this.#first;
    this.#first = false;
    if (first || holder === undefined) return this.#shared;
    if (holder === this.#own) {
      this.#ownInARow += 1;
      if (this.#ownInARow >= OWN_LOOKS) {
        this.#foreign = 0;
        this.#shared = false;
      }
      return this.#shared;
    }
    this.#ownInARow = 0;
    this.#foreign += 1;
    this.#shared ||= this.#foreign >= FOREIGN_LOOKS;
    return this.#shared;
  }
}
