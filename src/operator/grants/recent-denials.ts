/** A status that was just written comes back as a change within this time. */
const MILLISECONDS = 10_000;
/** The number of denials that are remembered at most. */
const MOST = 10_000;

/** KeyGrants whose creators RBAC has just denied the right to grant, so that the echo of that status asks nothing. */
export class RecentDenials {
  /** When each was denied, by uid, the first first. */
  readonly #at = new Map<string, number>();

  /** Returns true if the KeyGrant was denied a moment ago. `now` is by a clock that never goes back. */
  has(uid: string, now: number): boolean {
    const at = this.#at.get(uid);
    return at !== undefined && now - at < MILLISECONDS;
  }

  note(uid: string, now: number): void {
    this.#at.delete(uid);
    this.#at.set(uid, now);
    for (const [first, at] of this.#at) {
      if (now - at < MILLISECONDS && this.#at.size <= MOST) break;
      this.#at.delete(first);
    }
  }
}
