import { isDeepStrictEqual } from "node:util";
import type { Action } from "../../access/actions.ts";
import type { KeyRow } from "../../keyring/rows.ts";
import type { KeyDetails } from "../../keyring/tables/key-details.ts";
import { merged, type SpecPatch } from "../../store/manifests/merge-patch.ts";
import { retryConflicts } from "../../store/retry-conflicts.ts";
import { AwsError } from "../aws-error.ts";
import type { AwsKeys } from "../keys/aws-keys.ts";
import type { KeyState } from "../keys/key-state.ts";
import type { Operation, Request } from "../operations/operation.ts";
import type { HeldPolicy } from "../policies/aws-policies.ts";
import { findById, type ObservedKey, observeKey } from "./managed-key.ts";
import type { ManagedObjects } from "./managed-objects.ts";
import { untilFollowed } from "./until.ts";

export interface KeyInput {
  readonly KeyId: string;
}

/** The answer of an operation that has nothing to say. */
export type Nothing = Readonly<Record<string, never>>;

/** An operation that changes the spec of one MasterKey. */
export interface KeyChange<I extends KeyInput, O> {
  readonly action: Action;
  /**
   * Decides the change of the spec; undefined if there is none to make. Throws AwsError if the key's state or
   * kind does not allow the change.
   */
  decide(observed: ObservedKey, input: I, facts: ChangeFacts): SpecPatch | undefined;
  /** Returns true once the keyring shows the change. */
  isShown(shown: ShownKey, input: I): boolean;
  /** Returns the error of a change that the operator refuses; left out if it refuses none. */
  refusal?(observed: ObservedKey): AwsError | undefined;
  /** The patch that takes back a change that was refused. */
  readonly undo?: SpecPatch;
  answer(observed: ObservedKey, input: I, facts: ChangeFacts): O;
}

/** A key as the keyring has it, and so as the next request finds it. */
export interface ShownKey {
  readonly state: KeyState;
  /** Undefined if the operator has not recorded them yet. */
  readonly details: KeyDetails | undefined;
  /** Returns its policy. Throws DependencyTimeoutException if it is not known. */
  readonly policy: () => HeldPolicy;
}

export interface ChangeFacts {
  /** Epoch milliseconds. */
  readonly now: number;
  /** True if claviger has no API server whose objects it could count. */
  readonly standalone: boolean;
  readonly request: Request<object>;
  readonly key: KeyRow;
  readonly keys: AwsKeys;
}

/** Makes the operation of a change. It has the caller's own rights, and answers once this process uses the change. */
export const keyChange =
  <I extends KeyInput, O>(change: KeyChange<I, O>) =>
  (objects: ManagedObjects): Operation<I, O> => ({
    needs: ({ input, caller }, keys) => [{ action: change.action, key: findById(keys, input.KeyId, caller) }],
    prepare(request, keys) {
      const key = findById(keys, request.input.KeyId, request.caller);
      return () => carryOut(change, objects, { request, key, keys });
    },
  });

interface Asked<I> {
  readonly request: Request<I>;
  readonly key: KeyRow;
  readonly keys: AwsKeys;
}

async function carryOut<I extends KeyInput, O>(
  change: KeyChange<I, O>,
  objects: ManagedObjects,
  asked: Asked<I>,
): Promise<O> {
  const { request, key, keys } = asked;
  const facts = { now: request.now, standalone: objects.standalone, ...asked };
  const patch = await apply(objects, asked, (seen) => change.decide(seen, request.input, facts));
  await waitUntilShown(change, objects, asked, patch);
  return change.answer(await observeKey(objects, key, keys), request.input, facts);
}

/** Reads, decides and writes until nobody else has written in between. Returns the change that was made. */
export function apply<I>(
  objects: ManagedObjects,
  { request: { caller }, key, keys }: Asked<I>,
  decide: (observed: ObservedKey) => SpecPatch | undefined,
): Promise<SpecPatch | undefined> {
  return retryConflicts(async () => {
    const observed = await observeKey(objects, key, keys);
    const patch = decide(observed);
    if (patch !== undefined) await objects.change(caller, observed.masterKey, patch);
    return patch;
  });
}

async function waitUntilShown<I extends KeyInput, O>(
  change: KeyChange<I, O>,
  objects: ManagedObjects,
  asked: Asked<I>,
  patch: SpecPatch | undefined,
): Promise<void> {
  const { request, key, keys } = asked;
  let isOverridden = false;
  const isFollowed = () => {
    const shown = shownKey(keys, key);
    return isOverridden || (shown !== undefined && change.isShown(shown, request.input));
  };
  const look = async () => {
    const observed = await observeKey(objects, key, keys);
    await refuse(change, objects, asked, observed);
    isOverridden = patch !== undefined && !isInForce(observed, patch);
  };
  if (!(await untilFollowed(isFollowed, look))) throw late(keys.arn(key));
}

/** Returns false if somebody has changed the same again: the operator may never have seen what was there between. */
const isInForce = ({ masterKey: { spec } }: ObservedKey, patch: SpecPatch): boolean =>
  isDeepStrictEqual(merged({ ...spec }, patch), { ...spec });

/** Returns the key as the keyring has it; undefined if it is gone. */
function shownKey(keys: AwsKeys, { keyId }: KeyRow): ShownKey | undefined {
  keys.freshen();
  const row = keys.withId(keyId);
  if (row === undefined) return undefined;
  return {
    state: keys.state(row, Date.now()),
    details: keys.recorded(row),
    policy: () => keys.policies.of(row),
  };
}

/** Takes back a change that the operator refuses, and throws its refusal. */
async function refuse<I extends KeyInput, O>(
  { refusal, undo }: KeyChange<I, O>,
  objects: ManagedObjects,
  asked: Asked<I>,
  observed: ObservedKey,
): Promise<void> {
  if (refusal === undefined || undo === undefined) return;
  const error = refusal(observed);
  if (error === undefined) return;
  await apply(objects, asked, () => undo);
  throw error;
}

const late = (arn: string): AwsError =>
  new AwsError(
    "DependencyTimeoutException",
    `The change of ${arn} is written, and is not in force on this node yet: see whether the operator of this node runs.`,
  );
