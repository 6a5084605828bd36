import { AwsError } from "../aws-error.ts";
import type { WireRequest } from "../door/handler.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import { encode } from "../model/encode.ts";
import { operationModel } from "../model/service-model.ts";
import { validate } from "../model/validate.ts";
import { dryRun } from "../operations/dry-run.ts";
import type { Operation, Request } from "../operations/operation.ts";
import { operationOf } from "../operations/table.ts";
import { refuseUnsupportedMembers } from "../operations/unsupported.ts";
import { isTracked } from "../usage/usage-record.ts";
import type { Access } from "./access.ts";
import type { Authenticator } from "./authenticator.ts";

type AnyOperation = Operation<object, object>;

export interface KmsServiceOptions {
  readonly keys: AwsKeys;
  readonly authenticator: Authenticator;
  readonly access: Access;
  /** The operations that change custom resources, by name. */
  readonly management: ReadonlyMap<string, AnyOperation>;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** A request for an operation, before anything about it was verified. */
export interface Called {
  /** The request id. */
  readonly id: string;
  /** The name of the operation. */
  readonly name: string;
  readonly wire: WireRequest;
}

/** AWS KMS: each request is authenticated, validated, allowed and prepared, in this order, and then done. */
export class KmsService {
  readonly #options: KmsServiceOptions;

  constructor(options: KmsServiceOptions) {
    this.#options = options;
  }

  /** Returns the body of the answer. Throws AwsError, or another error if claviger itself has failed. */
  async answer({ id, name, wire }: Called): Promise<string> {
    const { authenticator } = this.#options;
    const now = this.#options.now();
    const caller = await authenticator.authenticate(wire, now);
    const operation = this.#operation(name);
    const input = validate(name, wire.body);
    refuseUnsupportedMembers(input);
    return encode(name, await this.#run(name, operation, { id, caller, input, now }));
  }

  #operation(name: string): AnyOperation {
    return operationOf(name) ?? this.#options.management.get(name) ?? notServed(name);
  }

  async #run(name: string, operation: AnyOperation, request: Request<object>): Promise<object> {
    const { keys, access } = this.#options;
    const { id, input, now } = request;
    keys.freshen();
    const needs = operation.needs(request, keys);
    await access.check(request, needs, keys);
    const work = await operation.prepare(request, keys);
    if (isDryRun(input)) throw dryRun();
    const output = await work();
    if (isTracked(name))
      keys.usage.note(
        needs.flatMap(({ key }) => key?.keyId ?? []),
        { operation: name, at: now, requestId: id },
      );
    return output;
  }
}

function notServed(name: string): never {
  // Only the names of AWS's own operations are shown.
  if (operationModel(name) === undefined)
    throw new AwsError("UnknownOperationException", "There is no such operation.");
  throw new AwsError("UnsupportedOperationException", `This release of claviger does not have ${name}.`);
}

const isDryRun = (input: object): boolean => "DryRun" in input && input.DryRun === true;
