import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { objectPathOf } from "../served/api-resources.ts";
import type { ApiResource } from "../served/discovery.ts";
import type { CallLimiter } from "./call-limiter.ts";
import type { ObjectMetadata } from "./metadata-pages.ts";

/**
 * What became of an object: its resourceVersion moved; it was fresh already; or
 * it is no more.
 */
export type Outcome = "rewritten" | "unchanged" | "gone";

export interface ObjectCalls {
  readonly client: KubeClient;
  readonly limiter: CallLimiter;
  readonly signal: AbortSignal;
}

/** Contents never come back: a server that cannot give metadata alone answers 406. */
const METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
/** Only seen where an admission webhook changes what it sees; a write without a change has no manager. */
const FIELD_MANAGER = "claviger-rewriter";
const CONFLICTS = 5;

/**
 * Has the API server write an object back as it is: a merge patch of its own uid
 * and resourceVersion, in the end of its uid alone. What is stale, under another key_id than the current one
 * above all, is encrypted anew; what is not stays untouched. Throws KubeError
 * where the API server refuses, or what the limiter throws.
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
      // Admission answers 404 as well: the object's namespace is no more, and the object is.
      if (isGone(error) && (present.uid === object.uid || conflicts >= CONFLICTS)) throw error;
      object = present;
    }
  }
}

/**
 * An object that others write all the time is never at the resourceVersion that was
 * read: without one, the API server itself tries again until it got through.
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
  // The API server answers the object that was asked for.
  return (body as { readonly metadata: ObjectMetadata }).metadata;
}

/**
 * Returns whether the API server does not serve the path at all: such an answer is no Status
 * object, and says nothing of the object.
 */
export const isUnserved = (error: unknown): boolean =>
  isGone(error) && error instanceof KubeError && error.refusal.reason === undefined;

const isGone = (error: unknown): boolean => error instanceof KubeError && error.httpStatus === 404;

/** Another uid is refused as an invalid change, not as a conflict, where the resourceVersion is that of today. */
const isConflict = (error: unknown): boolean =>
  error instanceof KubeError &&
  (error.httpStatus === 409 || error.refusal.causes.some(({ field }) => field === "metadata.uid"));
