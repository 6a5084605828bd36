import { isDeepStrictEqual } from "node:util";

type Fields = Readonly<Record<string, unknown>>;

/**
 * Returns the JSON merge patch (RFC 7396) that turns the stored status into the wanted status; undefined if
 * they are the same. A server-side apply alone would leave every field and list item that another field
 * manager has set: whoever patched a status once would own these fields for ever.
 */
export function statusCorrection(stored: unknown, wanted: object): Fields | undefined {
  const patch = difference(asFields(stored), asFields(wanted));
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function difference(stored: Fields, wanted: Fields): Fields {
  const patch: Record<string, unknown> = {};
  for (const name of Object.keys(stored)) if (wanted[name] === undefined) patch[name] = null;
  for (const [name, value] of Object.entries(wanted)) {
    if (value === undefined || isDeepStrictEqual(stored[name], value)) continue;
    if (Array.isArray(value) && value.length === 0 && stored[name] === undefined) continue;
    const before = stored[name];
    const change = isFields(value) && isFields(before) ? difference(before, value) : value;
    if (!isFields(change) || Object.keys(change).length > 0 || !isFields(before)) patch[name] = change;
  }
  return patch;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const asFields = (value: unknown): Fields => (isFields(value) ? value : {});
