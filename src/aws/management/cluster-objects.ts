import { ClavigerError, codeOf, messageOf } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { collectionPath, objectPath } from "../../kube/paths.ts";
import type { KubeRequest } from "../../kube/request.ts";
import { nameText, type ObjectName } from "../../names.ts";
import { printable } from "../../printable.ts";
import { objectName } from "../../resources/object-text.ts";
import { API_VERSION, type ResourceOf } from "../../resources/resources.ts";
import type { SpecPatch } from "../../store/manifests/merge-patch.ts";
import { AwsError } from "../aws-error.ts";
import type { Caller } from "../caller.ts";
import { impersonated } from "./impersonation.ts";
import type { ManagedKind, ManagedObjects } from "./managed-objects.ts";

/** The author of the fields, as kubectl get --show-managed-fields names it. */
const FIELD_MANAGER = "claviger-api";

/**
 * The custom resources of an API server. This process reads them as itself and writes them as the caller, so
 * that the caller's RBAC and the API server's audit log apply.
 */
export class ClusterObjects implements ManagedObjects {
  readonly standalone = false;
  readonly #client: KubeClient;

  /** The client's own user may read claviger's resources, and act as others on them only (deploy/api.yaml). */
  constructor(client: KubeClient) {
    this.#client = client;
  }

  async read<K extends ManagedKind>(kind: K, name: ObjectName): Promise<ResourceOf[K] | undefined> {
    try {
      return (await this.#client.request({ method: "GET", path: objectPath(kind, name) })) as ResourceOf[K];
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async create(caller: Caller, kind: ManagedKind, name: ObjectName, spec: SpecPatch): Promise<void> {
    const body = { apiVersion: API_VERSION, kind, metadata: name, spec };
    try {
      await this.#asCaller(caller, { method: "POST", path: collectionPath(kind, name.namespace), body });
    } catch (error) {
      if (statusOf(error) === 409)
        throw new AwsError("AlreadyExistsException", `${kind} ${nameText(name)} already exists`);
      throw codeOf(error) === "Conflict" ? new AwsError("NotFoundException", messageOf(error)) : error;
    }
  }

  async change(caller: Caller, object: ResourceOf[ManagedKind], spec: SpecPatch): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    await this.#asCaller(caller, {
      method: "PATCH",
      path: pathOf(object),
      contentType: "application/merge-patch+json",
      body: { metadata: { uid, resourceVersion }, spec },
    });
  }

  async remove(caller: Caller, object: ResourceOf[ManagedKind]): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    const preconditions = { uid, resourceVersion };
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions };
    await this.#asCaller(caller, { method: "DELETE", path: pathOf(object), body });
  }

  async #asCaller(caller: Caller, call: KubeRequest): Promise<void> {
    const query = call.method === "DELETE" ? {} : { fieldManager: FIELD_MANAGER };
    try {
      await this.#client.request({ ...call, query, impersonate: impersonated(caller) });
    } catch (error) {
      throw error instanceof KubeError ? answerFor(error, caller) : error;
    }
  }
}

const pathOf = (object: ResourceOf[ManagedKind]): string => objectPath(object.kind, objectName(object));

const statusOf = (error: unknown): number | undefined =>
  error instanceof KubeError ? error.httpStatus : undefined;

const MASTERS = "system:masters";

/** Constrained impersonation refuses this group, whatever the API's own user may do. */
const wayOut = (groups: readonly string[]): string =>
  groups.includes(MASTERS)
    ? `. In a cluster nobody can act as a member of ${MASTERS}: give the credential another group, and this group rights by RBAC`
    : "";

/** Returns the error that the caller gets for a refusal of the API server. */
function answerFor(error: KubeError, { arn, groups }: Caller): Error {
  const why = printable(error.refusal.message ?? `HTTP ${error.httpStatus}`, 1024);
  switch (error.httpStatus) {
    case 403:
      return new AwsError("AccessDeniedException", `User: ${arn} is not authorized: ${why}${wayOut(groups)}`);
    case 400:
    case 422:
      return new AwsError("ValidationException", why);
    case 404:
      // The object is gone, or its namespace was never there: whoever reads it again knows.
      return new ClavigerError("Conflict", why, { cause: error });
    default:
      return error;
  }
}
