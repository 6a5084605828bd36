/** Ten seconds of looks. A file that changes at every look must not keep a grant from being revoked for ever. */
const MOST_LOOKS = 20;

interface Absence {
  readonly appearance: string;
  readonly looks: number;
}

/**
 * The objects that are in no manifest any more. An editor that writes a file in place leaves a part of the file for
 * a moment, and a KeyGrant that is removed stays revoked: an object is removed only if its file has stayed the same
 * from one look to the next.
 */
export class Absences {
  #known: ReadonlyMap<string, Absence> = new Map();

  /**
   * Returns the objects to remove. Call this at each look: `absent` has the absent objects, and how the file that
   * had them appears now.
   */
  look(absent: ReadonlyMap<string, string>): readonly string[] {
    const next = new Map<string, Absence>();
    const settled: string[] = [];
    for (const [object, appearance] of absent) {
      const { looks = 0, appearance: before } = this.#known.get(object) ?? {};
      if (before === appearance || looks >= MOST_LOOKS) settled.push(object);
      else next.set(object, { appearance, looks: looks + 1 });
    }
    this.#known = next;
    return settled;
  }
}
