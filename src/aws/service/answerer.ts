import { ClavigerError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { RepeatedLog } from "../../repeated-log.ts";
import type { AwsAudit } from "../audit/aws-audit.ts";
import { Draft } from "../audit/draft.ts";
import type { AwsError } from "../aws-error.ts";
import type { WireRequest } from "../door/handler.ts";
import { errorReply, jsonReply, type Reply } from "../door/reply.ts";
import { operationModel } from "../model/service-model.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { awsErrorOf } from "./claviger-error.ts";
import type { Called, KmsService } from "./kms-service.ts";

/** The service of KMS's API, as X-Amz-Target names it. */
const SERVICE = "TrentService.";

/** Answers requests to the KMS service, errors too, and logs the failures of claviger itself. */
export class Answerer {
  readonly #service: KmsService;
  readonly #log: RepeatedLog;
  readonly #telemetry: Telemetry;
  readonly #audit: AwsAudit | undefined;

  constructor(service: KmsService, log: Log, telemetry = new Telemetry(), audit?: AwsAudit) {
    this.#service = service;
    this.#telemetry = telemetry;
    this.#audit = audit;
    this.#log = new RepeatedLog(log);
  }

  /** Never rejects. `target` is the X-Amz-Target of the request. The record of the request is written before. */
  async answer(id: string, target: string, wire: WireRequest): Promise<Reply> {
    const name = target.startsWith(SERVICE) ? target.slice(SERVICE.length) : "";
    const began = performance.now();
    const answer = await this.#recorded({ id, name, wire });
    if (typeof answer === "string") {
      const reply = jsonReply(answer);
      this.#telemetry.answered({ operation: name, status: reply.status }, began);
      return reply;
    }
    const { type, status } = answer;
    this.#telemetry.answered({ operation: knownName(name) ?? "unknown", error: type, status }, began);
    if (status === 500) this.#report(answer, id);
    return errorReply(answer);
  }

  /** Returns the answer, or the error in its place if its record could not be written. */
  async #recorded(called: Called): Promise<string | AwsError> {
    if (this.#audit === undefined) return this.#answer(called);
    const draft = new Draft();
    const answer = await this.#answer({ ...called, draft });
    const { id, name, wire } = called;
    const error = typeof answer === "string" ? undefined : { code: answer.type, message: answer.message };
    try {
      await this.#audit.kms(draft, { id, name: knownName(name), wire, error });
      return answer;
    } catch (failure) {
      return awsErrorOf(failure, id);
    }
  }

  /** Returns the body of the answer, or the error. */
  async #answer(called: Called): Promise<string | AwsError> {
    try {
      return await this.#service.answer(called);
    } catch (error) {
      return awsErrorOf(error, called.id);
    }
  }

  /** Logs the counts of lines that were left out. */
  close(): void {
    this.#log.close();
  }

  #report({ type, message, cause }: AwsError, id: string): void {
    const text = cause === undefined ? message : reasonOf(cause);
    this.#log.note({ kind: type, level: "error", message: `${type}: ${text}`, fields: { request_id: id } });
  }
}

/** A name that AWS does not have is the caller's own text. */
const knownName = (name: string): string | undefined =>
  operationModel(name) === undefined ? undefined : name;

/** Errors of claviger hold no payload. Of other errors only the name and the place are logged. */
function reasonOf(cause: unknown): string {
  if (cause instanceof ClavigerError) return cause.message;
  if (!(cause instanceof Error)) return "a defect of claviger";
  const [frame = ""] = cause.stack?.split("\n").filter((line) => line.startsWith("    at ")) ?? [];
  return `a defect of claviger: ${cause.name}${frame.replace(/^ +/, " ")}`;
}
