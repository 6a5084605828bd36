import { AwsError } from "../aws-error.ts";

/** The members of requests for lists. */
export interface PageInput {
  readonly Limit?: number;
  readonly Marker?: string;
}

/** A part of a list, and the marker of the next part if there is one. */
export interface Page<T> {
  readonly entries: readonly T[];
  readonly rest: { readonly Truncated: boolean; readonly NextMarker?: string };
}

/** A marker of ours begins with this, so that text of another service is refused. */
const MARK = "claviger:";

/**
 * Returns the part of a list that a request asks for, `size` entries if it does not say how many. Entries are
 * sorted by `nameOf`, which is unique: an entry that comes or goes between two pages does not shift the others.
 * Throws InvalidMarkerException.
 */
export function pageOf<T>(
  all: Iterable<T>,
  nameOf: (entry: T) => string,
  { Limit: limit, Marker }: PageInput,
  size: number,
): Page<T> {
  const after = Marker === undefined ? "" : lastOf(Marker);
  const named = [...all].map((entry) => ({ entry, name: nameOf(entry) }));
  const left = named.filter(({ name }) => name > after).sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = left.slice(0, limit ?? size);
  const last = page.at(-1);
  const Truncated = left.length > page.length;
  return {
    entries: page.map(({ entry }) => entry),
    rest: { Truncated, ...(Truncated && last !== undefined && { NextMarker: markerOf(last.name) }) },
  };
}

const markerOf = (name: string): string => Buffer.from(MARK + name).toString("base64url");

function lastOf(marker: string): string {
  const text = Buffer.from(marker, "base64url").toString();
  if (text.startsWith(MARK) && markerOf(text.slice(MARK.length)) === marker) return text.slice(MARK.length);
  throw new AwsError("InvalidMarkerException", "The marker is not one that an earlier answer had.");
}
