import { cut, printableLines } from "../../printable.ts";
import type {
  AuditRecord,
  Element,
  Elements,
  SessionContext,
  TlsDetails,
  UserIdentity,
} from "./audit-record.ts";

/** The longest line of the audit log, in bytes. */
export const MAX_LINE_BYTES = 131_072;

/** The lengths to which texts are cut, one after another, until the line fits. */
const TEXT_LENGTHS = [131_072, 16_384, 2_048, 128];
/** The numbers of entries of a list or map that stay, with each length. */
const ENTRIES = [10_000, 500, 100, 20];
/** Texts that every record has. */
const SHORT = 256;
const LONG = 2_048;
const MOST_RESOURCES = 16;

const PLAIN = /^[\x20-\x7e]*$/;

/**
 * Returns a record as one line of JSON without its newline, of at most 131,072 bytes. Only the fields of
 * `AuditRecord` are written, whatever else the object has. Texts that are too long are cut, and say by how much.
 */
export function recordLine(record: AuditRecord): string {
  for (const [at, length] of TEXT_LENGTHS.entries()) {
    const line = lineOf(fieldsWithin(record, { length, entries: ENTRIES[at] ?? 0 }));
    if (line !== undefined) return line;
  }
  // Nested deeper than any request: the record without them is better than none.
  const bare = { ...record, requestParameters: null, responseElements: null, serviceEventDetails: undefined };
  return lineOf(fieldsWithin(bare, { length: SHORT, entries: 0 })) ?? tooLong();
}

function tooLong(): never {
  throw new Error("a record without its parameters is longer than a line of the audit log");
}

function lineOf(fields: object): string | undefined {
  const json = JSON.stringify(fields);
  // A character has at most three bytes in UTF-8, and six as an escape.
  if (json.length > MAX_LINE_BYTES) return undefined;
  const line = PLAIN.test(json) ? json : printableLines(json);
  return Buffer.byteLength(line) <= MAX_LINE_BYTES ? line : undefined;
}

interface Bounds {
  readonly length: number;
  readonly entries: number;
}

/** Returns the fields of a record in CloudTrail's order. JSON leaves out those that are undefined. */
const fieldsWithin = (record: AuditRecord, bounds: Bounds): AuditRecord => ({
  eventVersion: record.eventVersion,
  userIdentity: identityOf(record.userIdentity),
  eventTime: record.eventTime,
  eventSource: record.eventSource,
  eventName: short(record.eventName),
  awsRegion: short(record.awsRegion),
  sourceIPAddress: short(record.sourceIPAddress),
  userAgent: cut(record.userAgent, LONG),
  errorCode: shortIfAny(record.errorCode),
  errorMessage: record.errorMessage === undefined ? undefined : cut(record.errorMessage, LONG),
  requestParameters: elementsWithin(record.requestParameters, bounds),
  responseElements: elementsWithin(record.responseElements, bounds),
  additionalEventData: additionalOf(record.additionalEventData),
  requestID: shortIfAny(record.requestID),
  eventID: short(record.eventID),
  readOnly: record.readOnly,
  resources: record.resources
    .slice(0, MOST_RESOURCES)
    .map(({ accountId, type, ARN }) => ({ accountId: short(accountId), type, ARN: cut(ARN, LONG) })),
  eventType: record.eventType,
  managementEvent: record.managementEvent,
  recipientAccountId: short(record.recipientAccountId),
  serviceEventDetails:
    record.serviceEventDetails && (elementsWithin(record.serviceEventDetails, bounds) ?? undefined),
  eventCategory: record.eventCategory,
  tlsDetails: tlsOf(record.tlsDetails),
});

const short = (text: string): string => cut(text, SHORT);
const shortIfAny = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : short(text);
const longIfAny = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : cut(text, LONG);

const identityOf = (identity: UserIdentity): UserIdentity => ({
  type: identity.type,
  principalId: longIfAny(identity.principalId),
  arn: longIfAny(identity.arn),
  accountId: shortIfAny(identity.accountId),
  accessKeyId: shortIfAny(identity.accessKeyId),
  userName: longIfAny(identity.userName),
  identityProvider: shortIfAny(identity.identityProvider),
  invokedBy: shortIfAny(identity.invokedBy),
  sessionContext: identity.sessionContext && sessionOf(identity.sessionContext),
});

const sessionOf = ({ sessionIssuer: issuer, attributes }: SessionContext): SessionContext => ({
  sessionIssuer: {
    type: issuer.type,
    principalId: cut(issuer.principalId, LONG),
    arn: cut(issuer.arn, LONG),
    accountId: short(issuer.accountId),
    userName: cut(issuer.userName, LONG),
  },
  attributes: { mfaAuthenticated: attributes.mfaAuthenticated },
});

const additionalOf = (data: AuditRecord["additionalEventData"]): AuditRecord["additionalEventData"] =>
  data && {
    door: data.door,
    provider: shortIfAny(data.provider),
    decidedBy: data.decidedBy?.slice(0, MOST_RESOURCES).map(short),
    keyMaterialId: shortIfAny(data.keyMaterialId),
    sourceKeyMaterialId: shortIfAny(data.sourceKeyMaterialId),
    destinationKeyMaterialId: shortIfAny(data.destinationKeyMaterialId),
  };

const tlsOf = (tls: TlsDetails | undefined): TlsDetails | undefined =>
  tls && {
    tlsVersion: short(tls.tlsVersion),
    cipherSuite: short(tls.cipherSuite),
    clientProvidedHostHeader: shortIfAny(tls.clientProvidedHostHeader),
  };

function elementsWithin(elements: Elements | null, bounds: Bounds): Elements | null {
  if (elements === null) return null;
  const entries = Object.entries(elements);
  const kept = entries
    .slice(0, bounds.entries)
    .map(([name, value]) => [cut(name, bounds.length), elementWithin(value, bounds)]);
  return Object.fromEntries([...kept, ...leftOut(entries.length - kept.length)]);
}

function elementWithin(value: Element, bounds: Bounds): Element {
  if (typeof value === "string") return cut(value, bounds.length);
  if (isList(value)) return value.slice(0, bounds.entries).map((entry) => elementWithin(entry, bounds));
  return typeof value === "object" ? elementsWithin(value, bounds) : value;
}

const isList = (value: Element): value is readonly Element[] => Array.isArray(value);

const leftOut = (count: number): [string, Element][] => (count <= 0 ? [] : [["…", `${count} entries more`]]);
