import { KubeError } from "../../kube/kube-error.ts";
import type { KubeRequest } from "../../kube/request.ts";
import { collectionPathOf } from "../served/api-resources.ts";
import type { ApiResource, StoredName } from "../served/discovery.ts";
import { atLatest, tokenAfter } from "./continue-token.ts";
import { nameOfKey, type UnreadableObject, unreadableValues } from "./unreadable.ts";

/** The metadata of an object, without its contents. */
export interface ObjectMetadata extends StoredName {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Some objects of one resource, in the order of their keys. */
export interface MetadataPage {
  readonly objects: readonly ObjectMetadata[];
  /** Objects that the API server itself cannot read. */
  readonly unreadable: readonly UnreadableObject[];
  /** The continue token of the next page; undefined after the last page. */
  readonly next: string | undefined;
  /** The number of objects after this page, if the API server says so. */
  readonly remaining: number | undefined;
}

/** Makes a GET request. `isAnswer` returns true for errors that are handled here. */
export type List = (call: KubeRequest, isAnswer: (error: unknown) => boolean) => Promise<unknown>;

/** The position in a list. */
export interface Place {
  /** A continue token, or "" for the beginning. */
  readonly token: string;
  readonly limit: number;
  /** How often the list was started again. */
  readonly restarts: number;
  /** An unreadable object is among the next `within` objects. */
  readonly within?: number | undefined;
}

const PAGE = 500;
const MAX_RESTARTS = 3;
/** Whole objects are no fallback: a server that cannot return metadata alone answers 406. */
const METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

interface ListBody {
  readonly metadata: { readonly continue?: string; readonly remainingItemCount?: number };
  /** null if the list is empty. */
  readonly items: readonly { readonly metadata: ObjectMetadata }[] | null;
}

/**
 * Yields the metadata of all objects of a resource, page by page from a continue token on. Skips objects that
 * the API server cannot decrypt, and continues if the server has compacted the list's revision. Throws the
 * errors of `list`.
 */
export async function* metadataPages(
  list: List,
  resource: ApiResource,
  from = "",
): AsyncGenerator<MetadataPage, void> {
  let place: Place = { token: from, limit: PAGE, restarts: 0 };
  for (;;) {
    const found = await pageAt(list, resource, place);
    if ("limit" in found) {
      place = found;
      continue;
    }
    yield found;
    if (found.next === undefined) return;
    place = placeAfterPage(place, found, found.next);
  }
}

/**
 * Returns some object of a resource, readable or not, or undefined if there is none. Throws the errors of
 * `list`.
 */
export async function someObject(list: List, resource: ApiResource): Promise<StoredName | undefined> {
  let place: Place = { token: "", limit: 1, restarts: 0 };
  for (;;) {
    const found = await pageAt(list, resource, place);
    if (!("limit" in found)) return found.objects[0] ?? found.unreadable[0];
    place = found;
  }
}

/**
 * Returns roughly how many objects a resource has, or undefined if the API server does not say. Throws the
 * errors of `list`.
 */
export async function countObjects(list: List, resource: ApiResource): Promise<number | undefined> {
  const isAnswer = (error: unknown) => unreadableValues(error) !== undefined;
  const { objects, next, remaining = 0 } = pageOf(await list(listCall(resource, "", 1), isAnswer));
  return next !== undefined && remaining === 0 ? undefined : objects.length + remaining;
}

async function pageAt(list: List, resource: ApiResource, place: Place): Promise<MetadataPage | Place> {
  const call = listCall(resource, place.token, place.limit);
  try {
    const isAnswer = (error: unknown) => isHere(error, place);
    return pageOf(await list(call, isAnswer));
  } catch (error) {
    const elsewhere = placeAfter(error, place);
    if (elsewhere !== undefined) return elsewhere;
    const unreadable = unreadableValues(error)?.map(({ key, message }) => ({
      ...nameOfKey(key, resource),
      message,
    }));
    const last = unreadable?.at(-1);
    if (unreadable === undefined || last === undefined) throw error;
    return { objects: [], unreadable, next: tokenAfter(last), remaining: undefined };
  }
}

function listCall(resource: ApiResource, token: string, limit: number): KubeRequest {
  const query = { limit: String(limit), ...(token !== "" && { continue: token }) };
  return { method: "GET", path: collectionPathOf(resource), query, accept: METADATA_LIST };
}

function pageOf(body: unknown): MetadataPage {
  // The API server answers with a list of the requested collection.
  const { metadata, items } = body as ListBody;
  return {
    // Keeps only the fields that are used, not managedFields and annotations.
    objects: (items ?? []).map(({ metadata: { namespace, name, uid, resourceVersion } }) => ({
      ...(namespace !== undefined && { namespace }),
      name,
      uid,
      resourceVersion,
    })),
    unreadable: [],
    next: metadata.continue || undefined,
    remaining: metadata.remainingItemCount,
  };
}

const isHere = (error: unknown, place: Place): boolean =>
  placeAfter(error, place) !== undefined || unreadableValues(error) !== undefined;

/** Returns where to continue after a page: towards the unreadable object ahead, or in ever larger steps. */
export function placeAfterPage(place: Place, { objects }: MetadataPage, token: string): Place {
  const within = (place.within ?? 0) - objects.length;
  return within > 0 && objects.length > 0
    ? { ...place, token, within, limit: Math.max(1, Math.floor(within / 2)) }
    : { ...place, token, within: undefined, limit: Math.min(PAGE, place.limit * 2) };
}

/**
 * Returns where to continue after a list was refused, or undefined if no other place helps. If a list fails
 * on an unreadable object, its limit is halved until that object comes first: at a limit of 1, the objects
 * named in the refusal come before any other.
 */
export function placeAfter(error: unknown, place: Place): Place | undefined {
  if (!(error instanceof KubeError)) return undefined;
  const { httpStatus, refusal } = error;
  if (httpStatus === 410) return afterExpiry(refusal.continue, place);
  if (unreadableValues(error) !== undefined)
    return place.limit > 1
      ? { ...place, within: place.limit, limit: Math.floor(place.limit / 2) }
      : undefined;
  // While an object is unreadable, the watch cache does not advance and never reaches the token's revision.
  if (refusal.causes.some(({ reason }) => reason === "ResourceVersionTooLarge")) {
    const token = atLatest(place.token);
    return token === undefined || token === place.token ? undefined : { ...place, token };
  }
  return undefined;
}

function afterExpiry(token: string | undefined, place: Place): Place | undefined {
  if (token !== undefined && token !== place.token) return { ...place, token };
  if (place.restarts >= MAX_RESTARTS) return undefined;
  return { ...place, token: "", restarts: place.restarts + 1 };
}
