import { messageOf } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { RepeatedLog } from "../../repeated-log.ts";
import type { AwsAudit } from "../audit/aws-audit.ts";
import { StsDraft } from "../audit/sts-draft.ts";
import type { WireRequest } from "../door/handler.ts";
import type { Reply } from "../door/reply.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { type StsAnswer, StsService, type StsServiceOptions } from "./sts-service.ts";

const FORM = "application/x-www-form-urlencoded";

/** Returns true for a request to STS: a form, which KMS never gets. */
export function isForm({ headers }: Pick<WireRequest, "headers">): boolean {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === "content-type");
  return at >= 0 && (headers[at + 1] ?? "").trim().toLowerCase().startsWith(FORM);
}

/** STS at the same address as KMS. */
export class StsDoor {
  readonly #service: StsService;
  readonly #log: RepeatedLog;
  readonly #telemetry: Telemetry;
  readonly #audit: AwsAudit | undefined;

  constructor(
    options: Omit<StsServiceOptions, "report">,
    log: Log,
    telemetry = new Telemetry(),
    audit?: AwsAudit,
  ) {
    this.#audit = audit;
    this.#telemetry = telemetry;
    this.#log = new RepeatedLog(log);
    this.#service = new StsService({ ...options, report: (id, error) => this.#report(id, error) });
  }

  /** Never rejects. The record of the request is written before. */
  async answer(id: string, wire: WireRequest): Promise<Reply> {
    const began = performance.now();
    const { status, body, action = "unknown", error } = await this.#recorded(id, wire);
    this.#telemetry.answered({ operation: action, error, status }, began);
    return { status, headers: { "content-type": "text/xml" }, body };
  }

  /** Returns the answer, or an error in its place if its record could not be written. */
  async #recorded(id: string, wire: WireRequest): Promise<StsAnswer> {
    const draft = new StsDraft();
    const answer = await this.#service.answer(id, wire, draft);
    const { action, error: code, message = "" } = answer;
    try {
      await this.#audit?.sts(draft, { id, name: action, wire, error: code && { code, message } });
      return answer;
    } catch (error) {
      return this.#service.failure(id, action, error);
    }
  }

  close(): void {
    this.#log.close();
  }

  #report(id: string, error: unknown): void {
    const message = `STS could not answer: ${messageOf(error)}`;
    this.#log.note({ kind: "sts", level: "error", message, fields: { request_id: id } });
  }
}
