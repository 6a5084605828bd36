import { KubeError } from "../../kube/kube-error.ts";
import { objectPath } from "../../kube/paths.ts";
import type { ApplyRequest } from "../../kube/request.ts";
import {
  type AnyResource,
  API_VERSION,
  type KeyServer,
  type Kind,
  type ObjectMeta,
  type ResourceOf,
} from "../../resources/resources.ts";
import type { KeyServerStatus } from "../../resources/schemas/key-server.ts";
import type { ObjectWriter } from "./object-writer.ts";
import { statusCorrection } from "./status-leftovers.ts";

const FIELD_MANAGER = "claviger";

/** Refused because of its contents, by the schema for example. */
const isInvalid = (error: unknown): boolean => error instanceof KubeError && error.httpStatus === 422;

/** Writes statuses by server-side apply, and removes the fields that others have put beside ours. */
export class StatusWriter {
  readonly #writer: ObjectWriter;

  constructor(writer: ObjectWriter) {
    this.#writer = writer;
  }

  /** Makes the stored status be `status`. Throws Conflict if the object has changed since it was read. */
  async apply<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]): Promise<void> {
    const applied = await this.#applyWhole(object, status);
    await this.#correct(applied, status ?? {});
  }

  /** Applies some fields with nothing else. A field that one manager no longer applies stays if another has applied it too. */
  async applyPart<K extends Kind>(object: ResourceOf[K], status: object | undefined): Promise<AnyResource> {
    const { kind, metadata } = object;
    const { name, namespace, uid, resourceVersion } = metadata;
    const apply: ApplyRequest = {
      path: `${objectPath(kind, metadata)}/status`,
      fieldManager: FIELD_MANAGER,
      object: {
        apiVersion: API_VERSION,
        kind,
        metadata: { name, uid, resourceVersion, ...(namespace !== undefined && { namespace }) },
        status,
      },
    };
    const applied = await this.#writer.shown(kind, metadata, this.#writer.apply(apply));
    // The API server answers with the written object.
    return applied as AnyResource;
  }

  /** Creates or updates the KeyServer `name`, which was last seen as `before`. */
  async applyKeyServer(
    name: string,
    status: KeyServerStatus,
    before: () => ObjectMeta | undefined,
  ): Promise<void> {
    const path = objectPath("KeyServer", { name });
    const fieldManager = `claviger-node-${name}`;
    const object = { apiVersion: API_VERSION, kind: "KeyServer", metadata: { name } } as const;
    await this.#writer.apply({ path, fieldManager, object });
    const apply = { path: `${path}/status`, fieldManager, object: { ...object, status } };
    const applied = await this.#writer.shown("KeyServer", before() ?? { name }, this.#writer.apply(apply));
    await this.#correct(applied as KeyServer, status);
  }

  /** If the whole status is refused because of fields that others have put beside it, removes those first. */
  async #applyWhole<K extends Kind>(object: ResourceOf[K], status: ResourceOf[K]["status"]) {
    try {
      return await this.applyPart(object, status);
    } catch (error) {
      if (!isInvalid(error) || (await this.#correct(object, status ?? {})) === undefined) throw error;
      return undefined;
    }
  }

  /** Removes the fields of a stored status that are not wanted, whoever owns them. Returns the patch, if one was needed. */
  async #correct(stored: AnyResource | undefined, wanted: object): Promise<object | undefined> {
    if (stored?.status === undefined) return undefined;
    const correction = statusCorrection(stored.status, wanted);
    if (correction === undefined) return undefined;
    const { uid, resourceVersion } = stored.metadata;
    await this.#writer.write({
      method: "PATCH",
      path: `${objectPath(stored.kind, stored.metadata)}/status`,
      contentType: "application/merge-patch+json",
      body: { metadata: { uid, resourceVersion }, status: correction },
    });
    return correction;
  }
}
