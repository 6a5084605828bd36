/** A resource by the names of the API; `group` is "" for the core group. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

const ANY = "*";

/** Reads `secrets` or `deployments.apps`, and patterns: `*.apps`, `*.` for the core group, `*.*`. */
export function parseGroupResource(text: string): GroupResource {
  const dot = text.indexOf(".");
  return dot === -1
    ? { group: "", resource: text }
    : { group: text.slice(dot + 1), resource: text.slice(0, dot) };
}

/** Returns `secrets`, `deployments.apps`, or a pattern, as an EncryptionConfiguration spells it. */
export function groupResourceText({ group, resource }: GroupResource): string {
  if (group === "" && resource === ANY) return "*.";
  return group === "" ? resource : `${resource}.${group}`;
}

/** The names that Kubernetes allows for resources and groups (DNS labels and subdomains). */
const NAMES_RESOURCE = /^(\*\.|(\*|[a-z0-9][-a-z0-9]{0,62})(\.(\*|[a-z0-9][-.a-z0-9]{0,252}))?)$/;

/**
 * Returns true if a pattern can match any resource at all. API servers accept every text as a pattern, the
 * empty text too, and store nothing by a pattern that cannot be the name of a resource.
 */
export const namesResource = (pattern: string): boolean => NAMES_RESOURCE.test(pattern);

/** Returns true if a pattern of an EncryptionConfiguration names more than one resource. */
export function isWildcard(pattern: string): boolean {
  return parseGroupResource(pattern).resource === ANY;
}

/**
 * Returns true if a pattern of an EncryptionConfiguration covers this resource. The group must be the one
 * under which the resource is stored: `events` belong to the core group.
 */
export function covers(pattern: string, { group, resource }: GroupResource): boolean {
  const rule = parseGroupResource(pattern);
  if (rule.group === ANY && rule.resource === ANY) return true;
  return rule.group === group && (rule.resource === ANY || rule.resource === resource);
}
