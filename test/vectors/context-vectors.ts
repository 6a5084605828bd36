import { canonicalContext, type EncryptionContext, MAX_CONTEXT_BYTES } from "../../src/crypto/context.ts";
import { hex } from "./inputs.ts";

export const CONTEXT_ABOUT =
  "The canonical bytes of an encryption context: pairs sorted by the UTF-8 bytes of their names; each name and each value " +
  `preceded by its length (4 bytes, big-endian). outcome InvalidArgument: text without a UTF-8 form, or more than ${MAX_CONTEXT_BYTES} bytes.`;

interface Given {
  readonly name: string;
  readonly context: EncryptionContext;
}
export type ContextVector =
  | (Given & { readonly outcome: "ok"; readonly bytes: string })
  | (Given & { readonly outcome: "InvalidArgument" });

/** U+FF5E sorts before U+1F600 in UTF-8 (EF < F0) and after it in UTF-16 (FF5E > D83D). */
export const UTF16_TRAP: EncryptionContext = { "\u{1f600}": "face", "\uff5e": "tilde" };
export const LONE_SURROGATE = "\ud83d";

/** Returns the context {a: value} whose canonical bytes have exactly this `size`. */
export const contextOf = (size: number): EncryptionContext => ({ a: "x".repeat(size - 9) });

export function contextVectors(): ContextVector[] {
  return [
    encoded("no pairs are no bytes", {}),
    encoded("one pair is name and value, each behind its length", { tenant: "alpha" }),
    encoded("pairs are sorted by name", { alpha: "1", beta: "2", gamma: "3" }),
    encoded("pairs given in another order have the same bytes", { gamma: "3", alpha: "1", beta: "2" }),
    encoded("a name that begins another one comes first", { ab: "2", a: "1" }),
    encoded("names that look like numbers are sorted as text", { "10": "ten", "9": "nine" }),
    encoded("uppercase comes before lowercase", { a: "lower", B: "upper" }),
    encoded("an empty name and an empty value keep their lengths", { "": "" }),
    encoded("a value moved into its name makes other bytes", { ab: "c" }),
    encoded("a name moved into its value makes other bytes", { a: "bc" }),
    encoded("names beyond the basic plane are sorted by UTF-8, not by UTF-16", UTF16_TRAP),
    encoded("text is not normalized: a composed letter", { "caf\u00e9": "1" }),
    encoded("text is not normalized: a letter and a combining accent", { "cafe\u0301": "1" }),
    encoded("a byte order mark and a NUL are text like any other", { "\ufeffname": "a\u0000b" }),
    encoded("the longest context has 8192 bytes", contextOf(MAX_CONTEXT_BYTES)),
    refused("a context of 8193 bytes is refused", contextOf(MAX_CONTEXT_BYTES + 1)),
    refused("a lone surrogate in a name is refused", { [LONE_SURROGATE]: "value" }),
    refused("a lone surrogate in a value is refused", { name: `a${LONE_SURROGATE}b` }),
    refused("surrogates in the wrong order are refused", { name: "\ude00\ud83d" }),
  ];
}

function encoded(name: string, context: EncryptionContext): ContextVector {
  return { name, context, outcome: "ok", bytes: hex(canonicalContext(context)) };
}

function refused(name: string, context: EncryptionContext): ContextVector {
  return { name, context, outcome: "InvalidArgument" };
}
