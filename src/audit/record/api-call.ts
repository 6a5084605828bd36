import { randomUUID } from "node:crypto";
import type {
  AdditionalEventData,
  AuditRecord,
  AuditResource,
  Elements,
  EventSource,
  TlsDetails,
  UserIdentity,
} from "./audit-record.ts";

/** The account and the region of the ARNs. */
export interface AuditSite {
  readonly account: string;
  readonly region: string;
}

/** A call of an API, after it was answered. */
export interface ApiCall {
  readonly site: AuditSite;
  readonly source?: EventSource;
  /** The name of the operation. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly at: number;
  /** A new UUID if left out. */
  readonly eventId?: string;
  readonly requestId?: string | undefined;
  readonly identity: UserIdentity;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  /** True if the operation changes nothing, cryptography included. */
  readonly readOnly: boolean;
  /** Members of the request that are no secrets. */
  readonly parameters?: Elements | undefined;
  /** Members of the answer that are no secrets, for operations that change something. */
  readonly response?: Elements | undefined;
  /** The ARNs of the keys. */
  readonly keys: readonly string[];
  readonly additional: AdditionalEventData;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly tls?: TlsDetails | undefined;
}

/** Returns the record of a call of an API. */
export const apiCall = (call: ApiCall): AuditRecord => ({
  eventVersion: "1.11",
  userIdentity: call.identity,
  eventTime: eventTime(call.at),
  eventSource: call.source ?? "kms.amazonaws.com",
  eventName: call.name,
  awsRegion: call.site.region,
  sourceIPAddress: call.address ?? "",
  userAgent: call.userAgent ?? "",
  errorCode: call.error?.code,
  errorMessage: call.error?.message,
  requestParameters: call.parameters ?? null,
  responseElements: call.response ?? null,
  additionalEventData: call.additional,
  requestID: call.requestId,
  eventID: call.eventId ?? randomUUID(),
  readOnly: call.readOnly,
  resources: resourcesOf(call.keys, call.site),
  eventType: "AwsApiCall",
  managementEvent: true,
  recipientAccountId: call.site.account,
  eventCategory: "Management",
  tlsDetails: call.tls,
});

/** Returns the keys of a record, each once. */
export const resourcesOf = (arns: readonly string[], { account }: AuditSite): readonly AuditResource[] =>
  [...new Set(arns)].map((ARN) => ({ accountId: account, type: "AWS::KMS::Key", ARN }));

/** Returns a time as records have it. `at` is in epoch milliseconds. */
export const eventTime = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`;
