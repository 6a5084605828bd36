import { putNewest } from "../../put-newest.ts";

const MOST = 1_000;
/** A longer text is read again each time, so that strangers cannot fill the memory. */
const LONGEST = 512;

/**
 * Remembers the results of a function for the texts that came last: clients send the same header names, credentials
 * and lists of signed headers with each request. A text for which the function throws is not remembered.
 */
export class Remembered<T> {
  readonly #read: (text: string) => T;
  readonly #known = new Map<string, T>();

  constructor(read: (text: string) => T) {
    this.#read = read;
  }

  of(text: string): T {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const result = this.#read(text);
    if (text.length <= LONGEST) putNewest(this.#known, text, result, MOST);
    return result;
  }
}
