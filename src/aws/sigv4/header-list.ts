import { incomplete } from "./refusals.ts";
import { Remembered } from "./remembered.ts";

/** More headers than any client of AWS sends. */
const MOST_HEADERS = 100;
const MOST_CHARACTERS = 32_768;

/** The characters of a header's name (RFC 9110, token). */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
/** Returns a header's name in lower case. Throws IncompleteSignatureException. */
const lowerNames = new Remembered((name) => {
  if (!NAME.test(name)) throw malformed();
  return name.toLowerCase();
});

/** The headers of a request by lower-case name, each as often as it was sent. */
export class HeaderList {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  private constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  /**
   * Takes the headers as node:http received them: names and values in turn, one character for each byte.
   * Throws IncompleteSignatureException for headers that no HTTP parser should have let through.
   */
  static of(raw: readonly string[]): HeaderList {
    if (raw.length > 2 * MOST_HEADERS) throw incomplete(`The request has more than ${MOST_HEADERS} headers.`);
    const values = new Map<string, string[]>();
    let size = 0;
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = raw[at] ?? "";
      const value = raw[at + 1] ?? "";
      size += name.length + value.length;
      const lower = lowerNames.of(name);
      if (endsLine(value)) throw malformed();
      const sent = values.get(lower);
      if (sent === undefined) values.set(lower, [value]);
      else sent.push(value);
    }
    if (size > MOST_CHARACTERS) throw incomplete("The headers of the request are too long.");
    return new HeaderList(values);
  }

  names(): readonly string[] {
    return [...this.#values.keys()];
  }

  /**
   * Returns the value of a header, or undefined if it was not sent. Throws IncompleteSignatureException if it
   * was sent twice: two readers could choose different values.
   */
  single(name: string): string | undefined {
    const sent = this.#values.get(name);
    if (sent !== undefined && sent.length > 1) {
      throw incomplete(`The header '${name}' must be sent once only.`);
    }
    return sent?.[0];
  }
}

const malformed = (): Error => incomplete("A header of the request is malformed.");

/** Characters that end a line would add a header to the text that is signed. */
const endsLine = (value: string): boolean =>
  value.includes("\n") || value.includes("\r") || value.includes("\0");
