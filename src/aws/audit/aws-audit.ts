import { MissingRecords } from "../../audit/missing-records.ts";
import { type ApiCall, type AuditSite, apiCall } from "../../audit/record/api-call.ts";
import { unknownIdentity, webIdentity } from "../../audit/record/identities.ts";
import { recordLine } from "../../audit/record/record-line.ts";
import { recordsMissing } from "../../audit/record/records-missing.ts";
import type { AuditTrail } from "../../audit/trail.ts";
import { ClavigerError } from "../../errors.ts";
import { RateLimiter } from "../../rate-limiter.ts";
import type { WireRequest } from "../door/handler.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { callerIdentity } from "./caller-identity.ts";
import type { Draft } from "./draft.ts";
import { answerElements, requestElements } from "./recorded-elements.ts";
import { isChange } from "./recorded-members.ts";
import type { StsDraft } from "./sts-draft.ts";
import { type WireFacts, wireFacts } from "./wire-facts.ts";

export interface AwsAuditOptions {
  readonly trail: AuditTrail;
  /** If a record cannot be written, the caller gets an error ("refuse"), or the answer as without a log. */
  readonly unavailable: "refuse" | "continue";
  readonly site: AuditSite;
  readonly telemetry?: Telemetry;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** An answer as records have it. */
interface Answered {
  readonly id: string;
  /** The name of an operation that AWS has; undefined for any other. */
  readonly name: string | undefined;
  readonly wire: WireRequest;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** Records a second of requests whose signatures were not verified. Anybody can send such requests. */
const UNVERIFIED = { burst: 20, intervalMilliseconds: 100 };
/** Records that wait for a trail that fails. */
const MOST_BEHIND = 256;
/** The name of a call whose operation AWS does not have: its own name is the caller's text. */
const UNKNOWN = "UnknownOperation";
/** The form of AWS's access key ids. Another text in its place may be a secret that was put there by mistake. */
const ACCESS_KEY_ID = /^A[A-Z0-9]{15,127}$/;

/** Writes the records of one process of the AWS KMS API. */
export class AwsAudit {
  readonly #options: AwsAuditOptions;
  readonly #telemetry: Telemetry;
  readonly #unverified = new RateLimiter(UNVERIFIED);
  #behind = 0;
  readonly #missing = new MissingRecords({ unverified: 0, backlog: 0, failed: 0 });

  constructor(options: AwsAuditOptions) {
    this.#options = options;
    this.#telemetry = options.telemetry ?? new Telemetry();
  }

  /** True if calls cannot be answered at present, because their records cannot be written. */
  get refuses(): boolean {
    return this.#options.unavailable === "refuse" && this.#options.trail.problem !== undefined;
  }

  /** Throws AuditUnavailable before an operation changes something, if its record could not be written. */
  refuseChange(operation: string): void {
    const { problem } = this.#options.trail;
    if (this.refuses && problem !== undefined && isChange(operation)) throw problem;
  }

  /**
   * Writes the record of a call of KMS. Resolves once it is written, or if the answer need not wait for it. Rejects
   * AuditUnavailable if the answer must not be sent.
   */
  async kms(draft: Draft, answered: Answered): Promise<void> {
    if (!this.#isDue(draft.caller !== undefined)) return;
    await this.#write(kmsCall(draft, answered, this.#options));
  }

  /** Writes the record of a call of STS, as `kms` does. */
  async sts(draft: StsDraft, answered: Answered): Promise<void> {
    if (!this.#isDue(draft.caller !== undefined || draft.user !== undefined)) return;
    await this.#write(stsCall(draft, answered, this.#options));
  }

  /**
   * Writes how many requests have no record, if there are such requests, or if the trail failed when it was last used:
   * the log says where it has a gap, and a trail that works again is noticed without a request. Never rejects.
   */
  async noteGap(): Promise<void> {
    const { trail, site, now } = this.#options;
    await this.#missing.note(trail.problem !== undefined, (counts) =>
      this.#append(recordsMissing(site, "aws", now(), counts)),
    );
  }

  #isDue(isVerified: boolean): boolean {
    if (isVerified || this.#unverified.take("", performance.now())) return true;
    this.#drop("unverified");
    return false;
  }

  #drop(reason: "backlog" | "unverified"): void {
    this.#missing.add(reason);
    this.#telemetry.auditDropped(reason);
  }

  async #write(call: ApiCall): Promise<void> {
    const { unavailable, trail } = this.#options;
    if (unavailable === "refuse") return this.#record(call);
    const isFailing = trail.problem !== undefined;
    if (isFailing && this.#behind >= MOST_BEHIND) return this.#drop("backlog");
    const ends = this.#record(call).catch(() => undefined);
    // The answer waits for a disk that works, and not for the deadline of a disk that does not.
    if (!isFailing) await ends;
  }

  async #record(call: ApiCall): Promise<void> {
    this.#behind += 1;
    try {
      await this.#append(recordLine(apiCall(call)));
    } catch (error) {
      this.#missing.add("failed");
      throw error;
    } finally {
      this.#behind -= 1;
    }
  }

  async #append(line: string): Promise<void> {
    const began = performance.now();
    try {
      await this.#options.trail.append(line);
      this.#telemetry.audited("written", began);
    } catch (error) {
      this.#telemetry.audited("failed", began);
      throw error instanceof ClavigerError
        ? error
        : new ClavigerError("AuditUnavailable", NOT_WRITTEN, { cause: error });
    }
  }
}

const NOT_WRITTEN = "the audit log could not be written";

function kmsCall(draft: Draft, { id, name, wire, error }: Answered, options: AwsAuditOptions): ApiCall {
  const { site, now } = options;
  const facts = wireFacts(wire);
  const { caller, input, eventId } = draft;
  const output = error === undefined ? draft.output : undefined;
  const keys = draft.keys.length > 0 ? draft.keys : arnsIn(output);
  return {
    site,
    name: name ?? UNKNOWN,
    at: now(),
    eventId,
    requestId: id,
    ...originOf(facts),
    identity: caller === undefined ? unverified(facts) : callerIdentity(caller, facts.accessKeyId, site),
    readOnly: name === undefined || !isChange(name),
    parameters: name === undefined || input === undefined ? undefined : requestElements(name, input),
    response: name === undefined || output === undefined ? undefined : answerElements(name, output, keys[0]),
    keys,
    additional: { door: "aws", ...rulesOf(draft), ...materialOf(output, draft) },
    error,
  };
}

function stsCall(draft: StsDraft, { id, name, wire, error }: Answered, options: AwsAuditOptions): ApiCall {
  const { site, now } = options;
  const facts = wireFacts(wire);
  const { caller, user, eventId, parameters, response } = draft;
  const anybody = user === undefined ? unverified(facts) : webIdentity(user);
  return {
    site,
    source: "sts.amazonaws.com",
    name: name ?? UNKNOWN,
    at: now(),
    eventId,
    requestId: id,
    ...originOf(facts),
    identity: caller === undefined ? anybody : callerIdentity(caller, facts.accessKeyId, site),
    readOnly: true,
    parameters,
    response: error === undefined ? response : undefined,
    keys: [],
    additional: { door: "aws" },
    error,
  };
}

const originOf = ({ address, userAgent, tls }: WireFacts) => ({ address, userAgent, tls });

const unverified = ({ accessKeyId }: WireFacts) =>
  unknownIdentity(accessKeyId !== undefined && ACCESS_KEY_ID.test(accessKeyId) ? accessKeyId : undefined);

const rulesOf = ({ rules }: Draft) => (rules.length === 0 ? {} : { decidedBy: rules });

/** The members of answers that a record takes, whatever the operation is. */
interface Output {
  readonly KeyMaterialId?: string;
  readonly SourceKeyMaterialId?: string;
  readonly DestinationKeyMaterialId?: string;
  readonly KeyMetadata?: { readonly Arn?: string };
}

/** A new key is in the answer alone. */
function arnsIn(output: Output | undefined): readonly string[] {
  const arn = output?.KeyMetadata?.Arn;
  return arn === undefined ? [] : [arn];
}

const materialOf = (output: Output = {}, { materialId }: Draft) => ({
  keyMaterialId: output.KeyMaterialId ?? materialId,
  sourceKeyMaterialId: output.SourceKeyMaterialId,
  destinationKeyMaterialId: output.DestinationKeyMaterialId,
});
