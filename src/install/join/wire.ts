import { ClavigerError } from "../../errors.ts";

/** A name or an address in a request: one byte of length, then UTF-8. */
export function shortText(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > 255)
    throw new ClavigerError("InvalidArgument", "a name in a request has 255 bytes at most");
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}

/** Reads a byte layout from its beginning to its end. Throws the error of `refuse` if it is too short. */
export class Cursor {
  readonly #bytes: Buffer;
  readonly #refuse: () => Error;
  #at = 0;

  constructor(bytes: Buffer, refuse: () => Error) {
    this.#bytes = bytes;
    this.#refuse = refuse;
  }

  take(length: number): Buffer {
    if (this.#bytes.length - this.#at < length) throw this.#refuse();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at);
  }

  text(): string {
    const bytes = this.take(this.take(1)[0] ?? 0);
    const text = bytes.toString("utf8");
    if (!Buffer.from(text, "utf8").equals(bytes)) throw this.#refuse();
    return text;
  }

  /** Throws if bytes are left. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw this.#refuse();
  }
}
