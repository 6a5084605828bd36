import { conditionKey, contextName } from "../../access/policy/condition-keys.ts";
import { canonicalContext, type EncryptionContext } from "../../crypto/context.ts";
import { ClavigerError } from "../../errors.ts";
import { printable } from "../../printable.ts";
import { UsageError } from "../command.ts";

const MOST_PAIRS = 1_000;
const MAX_VALUE_LENGTH = 8_192;
const OF_CONTEXT = /^kms:encryptioncontext/;

/** Values of condition keys, by `contextName`. */
export type GivenValues = ReadonlyMap<string, readonly string[]>;

/** Reads the values of --encryption-context. Throws UsageError. */
export function contextGiven(texts: readonly string[]): EncryptionContext {
  const pairs = texts.map((text) => pairOf("--encryption-context", text));
  const context = Object.fromEntries(pairs);
  if (Object.keys(context).length < pairs.length)
    throw new UsageError("--encryption-context names a pair twice");
  try {
    canonicalContext(context);
  } catch (error) {
    throw error instanceof ClavigerError ? new UsageError(`--encryption-context: ${error.message}`) : error;
  }
  return context;
}

/** Reads the values of --condition: a condition key with its value in the request. Throws UsageError. */
export function conditionsGiven(texts: readonly string[]): GivenValues {
  if (texts.length > MOST_PAIRS) throw new UsageError(`--condition can be given ${MOST_PAIRS} times`);
  const given = new Map<string, readonly string[]>();
  for (const text of texts) {
    const [name, value] = pairOf("--condition", text);
    const known = conditionKey(name);
    if (known === undefined)
      throw new UsageError(`--condition: "${printable(name, 64)}" is no condition key of key policies here`);
    const key = contextName(name);
    if (OF_CONTEXT.test(key)) throw new UsageError("--condition: use --encryption-context for the context");
    const values = given.get(key) ?? [];
    if (values.length > 0 && !known.several) throw new UsageError(`--condition: ${name} has one value`);
    given.set(key, [...values, value]);
  }
  return given;
}

function pairOf(option: string, text: string): readonly [name: string, value: string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new UsageError(`${option} takes NAME=VALUE, and "${printable(text, 64)}" is none`);
  if (text.length > MAX_VALUE_LENGTH)
    throw new UsageError(`${option} takes at most ${MAX_VALUE_LENGTH} characters`);
  return [text.slice(0, at), text.slice(at + 1)];
}
