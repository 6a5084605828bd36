import { fieldsOf, parsedJson, textAs } from "../../json.ts";

/** The last successful cryptographic operation with a key. */
export interface LastUsage {
  /** The name of the operation. */
  readonly operation: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly requestId: string;
  /** The id of its record in the audit log, if there is one. */
  readonly eventId?: string | undefined;
}

/** What a process knows of the usage of keys. */
export interface UsageRecord {
  /** The time from which on every usage is recorded, in epoch milliseconds. */
  readonly since: number;
  /** By keyId. */
  readonly last: ReadonlyMap<string, LastUsage>;
}

/** AWS KMS's cryptographic operations (KeyLastUsageTrackingOperation). ReEncrypt is recorded for both keys. */
const TRACKED: ReadonlySet<string> = new Set([
  "Decapsulate",
  "Decrypt",
  "DeriveSharedSecret",
  "Encapsulate",
  "Encrypt",
  "GenerateDataKey",
  "GenerateDataKeyPair",
  "GenerateDataKeyPairWithoutPlaintext",
  "GenerateDataKeyWithoutPlaintext",
  "GenerateMac",
  "ReEncrypt",
  "Sign",
  "Verify",
  "VerifyMac",
]);

/** Returns true if an operation counts as a usage of its keys. */
export const isTracked = (operation: string): boolean => TRACKED.has(operation);

/** Returns the text of a record, as a process keeps it in its file. */
export const usageText = ({ since, last }: UsageRecord): string =>
  JSON.stringify({
    since,
    keys: Object.fromEntries([...last].map(([keyId, usage]) => [keyId, entryOf(usage)])),
  });

const entryOf = ({ operation, at, requestId, eventId }: LastUsage): readonly unknown[] =>
  eventId === undefined ? [operation, at, requestId] : [operation, at, requestId, eventId];

/** Reads the text of a record; undefined if it is incomplete or damaged. */
export function parseUsage(text: string): UsageRecord | undefined {
  const { since, keys } = fieldsOf(parsedJson(text));
  if (!isTime(since)) return undefined;
  return { since, last: new Map(Object.entries(fieldsOf(keys)).flatMap(usageOf)) };
}

function usageOf([keyId, value]: readonly [string, unknown]): [string, LastUsage][] {
  if (!Array.isArray(value)) return [];
  const [operation, at, requestId, eventId]: readonly unknown[] = value;
  if (typeof operation !== "string" || !isTracked(operation)) return [];
  if (!isTime(at) || typeof requestId !== "string") return [];
  return [[keyId, { operation, at, requestId, ...textAs("eventId", eventId) }]];
}

const isTime = (value: unknown): value is number => Number.isSafeInteger(value);
