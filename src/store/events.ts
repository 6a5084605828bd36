import type { Kind, ObjectMeta } from "../resources/resources.ts";

/** An event of an object, for `kubectl describe` or the log. */
export interface ResourceEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** The object that an event is about. */
export interface ObjectRef {
  readonly kind: Kind;
  readonly metadata: Pick<ObjectMeta, "name" | "namespace" | "uid" | "resourceVersion">;
}

/** Reports events to people. */
export interface Events {
  /**
   * Logs an event, and records it if there is a place for it: best effort, and limited for each object and
   * namespace.
   */
  recordEvent(object: ObjectRef, event: ResourceEvent): Promise<void>;
}
