import { randomUUID } from "node:crypto";
import { type AuditSite, eventTime, resourcesOf } from "./api-call.ts";
import type { AuditDoor, AuditRecord, Elements } from "./audit-record.ts";

/** An event that nobody called for, such as an automatic rotation. */
export interface ServiceEvent {
  readonly site: AuditSite;
  /** RotateKey, DeleteKey, DeleteExpiredKeyMaterial, or a name of claviger's own. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly door: AuditDoor;
  /** The ARNs of the keys; none for events of the log itself. */
  readonly keys: readonly string[];
  readonly details: Elements;
}

/** The author of what the service does by itself. */
const ITSELF = "kms.claviger.dev";

/** Returns the record of an event of the service itself. Rules for people's actions leave such events out. */
export const serviceEvent = ({ site, name, at, door, keys, details }: ServiceEvent): AuditRecord => ({
  eventVersion: "1.11",
  userIdentity: { accountId: site.account, invokedBy: ITSELF },
  eventTime: eventTime(at),
  eventSource: "kms.amazonaws.com",
  eventName: name,
  awsRegion: site.region,
  sourceIPAddress: ITSELF,
  userAgent: ITSELF,
  requestParameters: null,
  responseElements: null,
  additionalEventData: { door },
  eventID: randomUUID(),
  readOnly: false,
  resources: resourcesOf(keys, site),
  eventType: "AwsServiceEvent",
  managementEvent: true,
  recipientAccountId: site.account,
  serviceEventDetails: details,
  eventCategory: "Management",
});
