/** The reason of a KeyServer whose nodeName two operators have. */
export const NODE_NAME_SHARED = "NodeNameShared";

/** A single foreign renewal may be the last renewal of a former process. */
const FOREIGN_LOOKS = 2;
/** The number of our renewals in a row without a foreign renewal in between. */
const OWN_LOOKS = 3;

/**
 * Detects that another operator renews this node's Lease too: two machines with the same nodeName overwrite
 * each other's KeyServer, and each passes for the other.
 */
export class NameWatch {
  readonly #own: string;
  #first = true;
  #foreign = 0;
  #ownInARow = 0;
  #shared = false;
  /** The renewal of the last look: if the Lease was not renewed since, it says nothing new. */
  #renewal: string | undefined;

  constructor(own: string) {
    this.#own = own;
  }

  /**
   * Takes the Lease before each renewal of ours: its holder, and its renewal. Returns true if the name is
   * shared.
   */
  saw(holder: string | undefined, renewal: string | undefined): boolean {
    // It belongs to a former process.
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
