import type { KeyRow } from "../../keyring/rows.ts";
import { nameText } from "../../names.ts";
import type { AwsAudit } from "../audit/aws-audit.ts";
import type { Draft } from "../audit/draft.ts";
import { AwsError } from "../aws-error.ts";
import type { WireRequest } from "../door/handler.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import { encode } from "../model/encode.ts";
import { operationModel } from "../model/service-model.ts";
import { validate } from "../model/validate.ts";
import { dryRun } from "../operations/dry-run.ts";
import type { Need, Operation, Request, Work } from "../operations/operation.ts";
import { operationOf } from "../operations/table.ts";
import { refuseUnsupportedMembers } from "../operations/unsupported.ts";
import { isTracked } from "../usage/usage-record.ts";
import type { Access } from "./access.ts";
import type { Authenticator } from "./authenticator.ts";

type AnyOperation = Operation<object, object>;

export interface KmsServiceOptions {
  readonly keys: AwsKeys;
  readonly authenticator: Pick<Authenticator, "authenticate">;
  readonly access: Access;
  /** The operations that change custom resources, by name. */
  readonly management: ReadonlyMap<string, AnyOperation>;
  /** Refuses changes while their records could not be written. */
  readonly audit?: Pick<AwsAudit, "refuseChange"> | undefined;
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
  /** Takes the facts for the record of the request. */
  readonly draft?: Draft | undefined;
}

/** A request that was allowed and is prepared. */
interface Prepared {
  readonly needs: readonly Need[];
  /** The grants that have allowed it. */
  readonly grantIds: readonly string[];
  readonly work: Work<object>;
}

/** An alias moves seldom: its second key is asked about, and its third. */
const MOST_ROUNDS = 3;

/** AWS KMS: each request is authenticated, validated, allowed and prepared, in this order, and then done. */
export class KmsService {
  readonly #options: KmsServiceOptions;

  constructor(options: KmsServiceOptions) {
    this.#options = options;
  }

  /** Returns the body of the answer. Throws AwsError, or another error if claviger itself has failed. */
  async answer({ id, name, wire, draft }: Called): Promise<string> {
    const { authenticator } = this.#options;
    const now = this.#options.now();
    const caller = await authenticator.authenticate(wire, now);
    if (draft !== undefined) draft.caller = caller;
    const operation = this.#operation(name);
    const input = validate(name, wire.body);
    if (draft !== undefined) draft.input = input;
    refuseUnsupportedMembers(input);
    const origin = { address: wire.address, isSecure: wire.isSecure === true };
    const output = await this.#run(name, operation, { id, caller, input, now, origin, draft });
    if (draft !== undefined) draft.output = output;
    return encode(name, output);
  }

  #operation(name: string): AnyOperation {
    return operationOf(name) ?? this.#options.management.get(name) ?? notServed(name);
  }

  async #run(name: string, operation: AnyOperation, request: Request<object>): Promise<object> {
    const { keys } = this.#options;
    const { id, input, now } = request;
    keys.freshen();
    const { needs, grantIds, work } = await this.#prepare(operation, request);
    if (isDryRun(input)) throw dryRun();
    this.#options.audit?.refuseChange(name);
    const output = await work();
    keys.usage.noteGrants(grantIds, now);
    if (isTracked(name))
      keys.usage.note(
        needs.flatMap(({ key }) => key?.keyId ?? []),
        { operation: name, at: now, requestId: id, eventId: request.draft?.eventId },
      );
    return output;
  }

  /**
   * Prepares a request if it is allowed. The answer of the API server may take seconds, and an alias that moves
   * meanwhile would lead `prepare` to a key that nobody was asked about. So `prepare` is called in the very turn in
   * which the request still names the keys that were allowed.
   */
  async #prepare(operation: AnyOperation, request: Request<object>): Promise<Prepared> {
    const { keys, access } = this.#options;
    let needs = operation.needs(request, keys);
    for (let round = 1; round <= MOST_ROUNDS; round += 1) {
      if (request.draft !== undefined) request.draft.keys = arnsOf(needs, keys);
      const grantIds = await access.check(request, needs, keys);
      const allowed = needs;
      needs = operation.needs(request, keys);
      if (areOfSameKeys(needs, allowed)) {
        return { needs, grantIds, work: await operation.prepare(request, keys) };
      }
    }
    throw new AwsError(
      "DependencyTimeoutException",
      "The key that the request names has changed again and again while its permissions were checked. Retry.",
    );
  }
}

const arnsOf = (needs: readonly Need[], keys: AwsKeys): readonly string[] =>
  needs.flatMap(({ key }) => (key === undefined ? [] : keys.arn(key)));

const areOfSameKeys = (needs: readonly Need[], others: readonly Need[]): boolean =>
  needs.length === others.length && needs.every(({ key }, at) => isSameKey(key, others[at]?.key));

function isSameKey(key: KeyRow | undefined, other: KeyRow | undefined): boolean {
  if (key === undefined || other === undefined) return key === other;
  return key.keyId === other.keyId && nameText(key) === nameText(other);
}

function notServed(name: string): never {
  // Only the names of AWS's own operations are shown.
  if (operationModel(name) === undefined)
    throw new AwsError("UnknownOperationException", "There is no such operation.");
  throw new AwsError("UnsupportedOperationException", `This release of claviger does not have ${name}.`);
}

const isDryRun = (input: object): boolean => "DryRun" in input && input.DryRun === true;
