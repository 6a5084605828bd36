import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { objectPathOf } from "../served/api-resources.ts";
import type { ApiResource } from "../served/discovery.ts";
import type { CallLimiter } from "./call-limiter.ts";
import type { ObjectMetadata } from "./metadata-pages.ts";

/** The outcome for an object: its resourceVersion changed, it was fresh already, or it no longer exists. */
export type Outcome = "rewritten" | "unchanged" | "gone";

export interface ObjectCalls {
  readonly client: KubeClient;
  readonly limiter: CallLimiter;
  readonly signal: AbortSignal;
}

/** Contents are never returned: a server that cannot return metadata alone answers 406. */
const METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
/** Only visible if an admission webhook changes the object; a write without a change records no manager. */
const FIELD_MANAGER = "claviger-rewriter";
const CONFLICTS = 5;

/**
 * Makes the API server write an object back unchanged: a merge patch of its own uid and resourceVersion, at
 * the end of its uid alone. A stale object, above all one under another key_id than the current one, is
 * encrypted again; a fresh object is not written. Throws KubeError if the API server refuses, or the errors
 * of the limiter.
 */
export async function rewriteObject(
  calls: ObjectCalls,
  resource: ApiResource,
  listed: ObjectMetadata,
): Promise<Outcome> {
  const path = objectPathOf(resource, listed);
  let object: ObjectMetadata = listed;
  for (let conflicts = 0; ; conflicts += 1) {
    try {
      const written = await patch(calls, path, object, conflicts < CONFLICTS);
      return written.resourceVersion === object.resourceVersion ? "unchanged" : "rewritten";
    } catch (error) {
      if (!isGone(error) && (!isConflict(error) || conflicts >= CONFLICTS)) throw error;
      const present = await read(calls, path);
      if (present === undefined) return "gone";
      // Admission also answers 404 if the object's namespace no longer exists, and then neither does the
      // object.
      if (isGone(error) && (present.uid === object.uid || conflicts >= CONFLICTS)) throw error;
      object = present;
    }
  }
}

/**
 * If other clients write an object all the time, the resourceVersion that was read is always stale. Without a
 * resourceVersion, the API server itself retries until the write succeeds.
 */
function patch(
  calls: ObjectCalls,
  path: string,
  { uid, resourceVersion }: ObjectMetadata,
  exact: boolean,
): Promise<ObjectMetadata> {
  return call(calls, {
    method: "PATCH",
    path,
    query: { fieldManager: FIELD_MANAGER },
    contentType: "application/merge-patch+json",
    body: { metadata: { uid, ...(exact && { resourceVersion }) } },
  });
}

async function read(calls: ObjectCalls, path: string): Promise<ObjectMetadata | undefined> {
  try {
    return await call(calls, { method: "GET", path });
  } catch (error) {
    if (isGone(error) && !isUnserved(error)) return undefined;
    throw error;
  }
}

async function call(
  { client, limiter, signal }: ObjectCalls,
  request: Parameters<KubeClient["request"]>[0],
): Promise<ObjectMetadata> {
  const body = await limiter.run(() => client.request({ ...request, accept: METADATA, signal }), { signal });
  // The API server answers with the requested object.
  return (body as { readonly metadata: ObjectMetadata }).metadata;
}

/**
 * Returns true if the API server does not serve the path at all: such an answer is no Status object, and says
 * nothing about the object.
 */
export const isUnserved = (error: unknown): boolean =>
  isGone(error) && error instanceof KubeError && error.refusal.reason === undefined;

const isGone = (error: unknown): boolean => error instanceof KubeError && error.httpStatus === 404;

/**
 * A patch with another uid is refused as an invalid change, not as a conflict, if its resourceVersion is up
 * to date.
 */
const isConflict = (error: unknown): boolean =>
  error instanceof KubeError &&
  (error.httpStatus === 409 || error.refusal.causes.some(({ field }) => field === "metadata.uid"));
