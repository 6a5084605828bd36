import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { ObjectName } from "../../names.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import type { ManagedObjects } from "../management/managed-objects.ts";
import { until } from "../management/until.ts";
import { refusalOf } from "./await-grant.ts";

export interface CreatedGrant {
  readonly object: KeyGrant;
  /** True if this request has created the object. */
  readonly isOwn: boolean;
}

/** Returns the name of a KeyGrant for some bytes. */
export const objectNameOf = (bytes: Buffer): string => `grant-${bytes.toString("hex").slice(0, 32)}`;

/**
 * Creates a KeyGrant as the caller, or finds the KeyGrant of the name if its spec is the same and the operator has
 * not refused it. A name that is left out, or whose object is another grant, is replaced by a random name: anybody who may create
 * KeyGrants can take a name that they can compute.
 */
export async function createOrFind(
  objects: ManagedObjects,
  caller: Caller,
  { namespace, name }: { readonly namespace: string; readonly name: string | undefined },
  spec: KeyGrant["spec"],
): Promise<CreatedGrant> {
  if (name !== undefined) {
    const isOwn = await createUnlessTaken(objects, caller, { namespace, name }, spec);
    const object = await recorded(objects, { namespace, name });
    if (isGrantOf(object, spec) && (isOwn || refusalOf(object) === undefined)) return { object, isOwn };
  }
  const random = { namespace, name: objectNameOf(randomBytes(16)) };
  await objects.create(caller, "KeyGrant", random, spec);
  const object = await recorded(objects, random);
  if (isGrantOf(object, spec)) return { object, isOwn: true };
  throw new AwsError("ConflictException", "The grant was replaced by another object while it was created.");
}

/** A KeyGrant that has ended has another spec. */
const isGrantOf = (object: KeyGrant, spec: KeyGrant["spec"]): boolean =>
  isDeepStrictEqual(object.spec, spec) && object.metadata.deletionTimestamp === undefined;

/** Returns false if there is an object of this name. */
async function createUnlessTaken(
  objects: ManagedObjects,
  caller: Caller,
  name: ObjectName,
  spec: KeyGrant["spec"],
): Promise<boolean> {
  try {
    await objects.create(caller, "KeyGrant", name, spec);
    return true;
  } catch (error) {
    if (error instanceof AwsError && error.type === "AlreadyExistsException") return false;
    throw error;
  }
}

/** Waits until the object has its uid: in a folder of manifests the operator gives it. */
async function recorded(objects: ManagedObjects, name: ObjectName): Promise<KeyGrant> {
  let object: KeyGrant | undefined;
  const isRecorded = async () => {
    object = await objects.read("KeyGrant", name);
    return object !== undefined && object.metadata.resourceVersion !== "0";
  };
  if ((await until(isRecorded)) && object !== undefined) return object;
  throw new AwsError(
    "DependencyTimeoutException",
    "The grant is written, and no operator has recorded it yet: see whether the operator of this node runs.",
  );
}
