/** Why a KeyServer is not ready whose nodeName two operators have. */
export const NODE_NAME_SHARED = "NodeNameShared";

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
  /** Of the last look: what was not renewed since says nothing new. */
  #renewal: string | undefined;

  constructor(own: string) {
    this.#own = own;
  }

  /** Takes in the Lease before each renewal of ours: who holds it, and which renewal that is. Returns whether the name is shared. */
  saw(holder: string | undefined, renewal: string | undefined): boolean {
    // A former life's.
    const first = this.#first;
    this.#first = false;
    const same = renewal !== undefined && renewal === this.#renewal;
    this.#renewal = renewal;
    if (first || same || holder === undefined) return this.#shared;
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
