import type { ObjectName } from "../../names.ts";
import type { ResourceOf } from "../../resources/resources.ts";
import type { SpecPatch } from "../../store/manifests/merge-patch.ts";
import type { Caller } from "../caller.ts";

/** The kinds of custom resources that the API creates and changes. */
export type ManagedKind = "MasterKey" | "KeyAlias" | "KeyGrant";

/** Reads custom resources where they are kept: never from a copy that may be late. */
export interface ObjectReads {
  read<K extends ManagedKind>(kind: K, name: ObjectName): Promise<ResourceOf[K] | undefined>;
}

/** Creates custom resources as the caller. */
export interface ObjectCreation {
  /** Throws AwsError AlreadyExistsException, AccessDeniedException or ValidationException. */
  create(caller: Caller, kind: ManagedKind, name: ObjectName, spec: SpecPatch): Promise<void>;
}

/** Changes custom resources as the caller. */
export interface ObjectChanges {
  /**
   * Applies a merge patch to the spec of an object as it was read. Throws Conflict if the object has changed
   * since, AwsError AccessDeniedException or ValidationException.
   */
  change(caller: Caller, object: ResourceOf[ManagedKind], patch: SpecPatch): Promise<void>;
}

/** Removes custom resources as the caller. */
export interface ObjectRemoval {
  /** Removes an object as it was read. Throws Conflict if the object has changed since, AwsError AccessDeniedException. */
  remove(caller: Caller, object: ResourceOf[ManagedKind]): Promise<void>;
}

/** The custom resources, as management operations use them: kubectl and the API are two views of one truth. */
export interface ManagedObjects extends ObjectReads, ObjectCreation, ObjectChanges, ObjectRemoval {
  /** True if nobody else stores data under the keys that claviger could count: there is no API server. */
  readonly standalone: boolean;
}
