/**
 * The record of an event, in the schema of AWS CloudTrail (eventVersion 1.11). Rules that others wrote for AWS KMS
 * read it: names and values are AWS's own wherever AWS has them.
 */
export interface AuditRecord {
  readonly eventVersion: "1.11";
  readonly userIdentity: UserIdentity;
  /** ISO 8601 in UTC, whole seconds. */
  readonly eventTime: string;
  readonly eventSource: EventSource;
  readonly eventName: string;
  readonly awsRegion: string;
  readonly sourceIPAddress: string;
  readonly userAgent: string;
  readonly errorCode?: string | undefined;
  readonly errorMessage?: string | undefined;
  readonly requestParameters: Elements | null;
  readonly responseElements: Elements | null;
  readonly additionalEventData?: AdditionalEventData | undefined;
  readonly requestID?: string | undefined;
  /** A UUID, of this record alone. */
  readonly eventID: string;
  /** True for everything that changes nothing, cryptography too. */
  readonly readOnly: boolean;
  /** The keys that the event is about. */
  readonly resources: readonly AuditResource[];
  readonly eventType: "AwsApiCall" | "AwsServiceEvent";
  readonly managementEvent: true;
  readonly recipientAccountId: string;
  readonly serviceEventDetails?: Elements | undefined;
  readonly eventCategory: "Management";
  readonly tlsDetails?: TlsDetails | undefined;
}

export type EventSource = "kms.amazonaws.com" | "sts.amazonaws.com";

/** Members of a request, of an answer or of an event: JSON. Whoever builds a record takes them from an allow-list. */
export interface Elements {
  readonly [member: string]: Element;
}
export type Element = string | number | boolean | null | readonly Element[] | Elements;

/** The author of an event. */
export interface UserIdentity {
  /** Absent for events of the service itself. */
  readonly type?:
    | "IAMUser"
    | "Role"
    | "AssumedRole"
    | "WebIdentityUser"
    | "AWSService"
    | "Unknown"
    | undefined;
  readonly principalId?: string | undefined;
  readonly arn?: string | undefined;
  readonly accountId?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly userName?: string | undefined;
  readonly identityProvider?: string | undefined;
  readonly invokedBy?: string | undefined;
  readonly sessionContext?: SessionContext | undefined;
}

/** The role of a session. */
export interface SessionContext {
  readonly sessionIssuer: {
    readonly type: "Role";
    readonly principalId: string;
    readonly arn: string;
    readonly accountId: string;
    readonly userName: string;
  };
  readonly attributes: { readonly mfaAuthenticated: "false" };
}

/** What CloudTrail's schema has no field for. These members are all that there are. */
export interface AdditionalEventData {
  /** The door of claviger at which the event happened. */
  readonly door: AuditDoor;
  /** The provider of the configuration at whose socket the call came in. */
  readonly provider?: string | undefined;
  /** The kinds of the rules that allowed or denied the call, in the order of its permissions. */
  readonly decidedBy?: readonly string[] | undefined;
  readonly keyMaterialId?: string | undefined;
  readonly sourceKeyMaterialId?: string | undefined;
  readonly destinationKeyMaterialId?: string | undefined;
}

/** The AWS KMS API, the sockets of API servers (KMS v2), or the operator. */
/** "log" is said of events of the log itself. */
export type AuditDoor = "aws" | "kms-v2" | "operator" | "log";

export interface AuditResource {
  readonly accountId: string;
  readonly type: "AWS::KMS::Key";
  readonly ARN: string;
}

export interface TlsDetails {
  readonly tlsVersion: string;
  readonly cipherSuite: string;
  readonly clientProvidedHostHeader?: string | undefined;
}
