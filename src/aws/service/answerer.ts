import { ClavigerError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { RepeatedLog } from "../../repeated-log.ts";
import type { AwsError } from "../aws-error.ts";
import type { WireRequest } from "../door/handler.ts";
import { errorReply, jsonReply, type Reply } from "../door/reply.ts";
import { operationModel } from "../model/service-model.ts";
import { Telemetry } from "../telemetry/telemetry.ts";
import { awsErrorOf } from "./claviger-error.ts";
import type { KmsService } from "./kms-service.ts";

/** The service of KMS's API, as X-Amz-Target names it. */
const SERVICE = "TrentService.";

/** Answers requests to the KMS service, errors too, and logs the failures of claviger itself. */
export class Answerer {
  readonly #service: KmsService;
  readonly #log: RepeatedLog;
  readonly #telemetry: Telemetry;

  constructor(service: KmsService, log: Log, telemetry = new Telemetry()) {
    this.#service = service;
    this.#telemetry = telemetry;
    this.#log = new RepeatedLog(log);
  }

  /** Never rejects. `target` is the X-Amz-Target of the request. */
  async answer(id: string, target: string, wire: WireRequest): Promise<Reply> {
    const name = target.startsWith(SERVICE) ? target.slice(SERVICE.length) : "";
    const began = performance.now();
    try {
      const reply = jsonReply(await this.#service.answer({ id, name, wire }));
      this.#telemetry.answered({ operation: name, status: reply.status }, began);
      return reply;
    } catch (error) {
      const answer = awsErrorOf(error, id);
      const { type, status } = answer;
      // A name that AWS does not have is the caller's own text.
      const operation = operationModel(name) === undefined ? "unknown" : name;
      this.#telemetry.answered({ operation, error: type, status }, began);
      if (status === 500) this.#report(answer, id);
      return errorReply(answer);
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

/** Errors of claviger hold no payload. Of other errors only the name and the place are logged. */
function reasonOf(cause: unknown): string {
  if (cause instanceof ClavigerError) return cause.message;
  if (!(cause instanceof Error)) return "a defect of claviger";
  const [frame = ""] = cause.stack?.split("\n").filter((line) => line.startsWith("    at ")) ?? [];
  return `a defect of claviger: ${cause.name}${frame.replace(/^ +/, " ")}`;
}
