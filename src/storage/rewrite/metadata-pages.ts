import { KubeError } from "../../kube/kube-error.ts";
import type { KubeRequest } from "../../kube/request.ts";
import { collectionPathOf } from "../served/api-resources.ts";
import type { ApiResource, StoredName } from "../served/discovery.ts";
import { atLatest, tokenAfter } from "./continue-token.ts";
import { nameOfKey, type UnreadableObject, unreadableValues } from "./unreadable.ts";

/** What is known of an object: nothing of its contents. */
export interface ObjectMetadata extends StoredName {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Some objects of one resource, in the order of their keys. */
export interface MetadataPage {
  readonly objects: readonly ObjectMetadata[];
  /** Objects that the API server itself cannot read. */
  readonly unreadable: readonly UnreadableObject[];
  /** The continue token of the next page; undefined after the last one. */
  readonly next: string | undefined;
  /** Objects after this page, where the API server says. */
  readonly remaining: number | undefined;
}

/** A GET; `isAnswer` tells errors that are dealt with here. */
export type List = (call: KubeRequest, isAnswer: (error: unknown) => boolean) => Promise<unknown>;

/** Where a list stands. */
export interface Place {
  /** A continue token; "" for the beginning. */
  readonly token: string;
  readonly limit: number;
  /** How often the list began anew. */
  readonly restarts: number;
  /** An unreadable object is among this many from here on. */
  readonly within?: number | undefined;
}

const PAGE = 500;
const MAX_RESTARTS = 3;
/** Without a fallback to whole objects: a server that cannot give metadata alone answers 406. */
const METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

interface ListBody {
  readonly metadata: { readonly continue?: string; readonly remainingItemCount?: number };
  /** null where the list is empty. */
  readonly items: readonly { readonly metadata: ObjectMetadata }[] | null;
}

/**
 * The metadata of all objects of a resource, page by page from a continue token
 * on. Goes past objects that the API server cannot decrypt, and on where the
 * server has forgotten the list's revision. Throws what `list` throws.
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

/** Some object of a resource, be it unreadable; undefined where there is none. Throws what `list` throws. */
export async function someObject(list: List, resource: ApiResource): Promise<StoredName | undefined> {
  let place: Place = { token: "", limit: 1, restarts: 0 };
  for (;;) {
    const found = await pageAt(list, resource, place);
    if (!("limit" in found)) return found.objects[0] ?? found.unreadable[0];
    place = found;
  }
}

/** How many objects a resource has, roughly; undefined where the API server does not say. */
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
  // The API server answers a list of the collection that was asked for.
  const { metadata, items } = body as ListBody;
  return {
    // Only what is used is kept, not managedFields and annotations.
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

/** Where to go on after a page: towards the unreadable object that is ahead, or in ever larger steps. */
export function placeAfterPage(place: Place, { objects }: MetadataPage, token: string): Place {
  const within = (place.within ?? 0) - objects.length;
  return within > 0 && objects.length > 0
    ? { ...place, token, within, limit: Math.max(1, Math.floor(within / 2)) }
    : { ...place, token, within: undefined, limit: Math.min(PAGE, place.limit * 2) };
}

/**
 * Where to go on after a list was refused; undefined where no other place helps.
 * A list that fails on an unreadable object is halved until that object comes
 * first: at a limit of 1, all that the refusal names comes before any other.
 */
export function placeAfter(error: unknown, place: Place): Place | undefined {
  if (!(error instanceof KubeError)) return undefined;
  const { httpStatus, refusal } = error;
  if (httpStatus === 410) return afterExpiry(refusal.continue, place);
  if (unreadableValues(error) !== undefined)
    return place.limit > 1
      ? { ...place, within: place.limit, limit: Math.floor(place.limit / 2) }
      : undefined;
  // While an object is unreadable, the watch cache stands still and never reaches the token's revision.
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
