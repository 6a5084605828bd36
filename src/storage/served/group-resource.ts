/** A resource as API servers name it; `group` is "" for the core group. */
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

/** `secrets`, `deployments.apps`, or a pattern, as an EncryptionConfiguration has it. */
export function groupResourceText({ group, resource }: GroupResource): string {
  if (group === "" && resource === ANY) return "*.";
  return group === "" ? resource : `${resource}.${group}`;
}

/** As Kubernetes names resources and groups (DNS labels and subdomains). */
const NAMES_RESOURCE = /^(\*\.|(\*|[a-z0-9][-a-z0-9]{0,62})(\.(\*|[a-z0-9][-.a-z0-9]{0,252}))?)$/;

/**
 * Whether a pattern can be for any resource at all. API servers take every text for one, the empty
 * one too, and store nothing by those that no resource can have as its name.
 */
export const namesResource = (pattern: string): boolean => NAMES_RESOURCE.test(pattern);

/** Whether a pattern of an EncryptionConfiguration names more than one resource. */
export function isWildcard(pattern: string): boolean {
  return parseGroupResource(pattern).resource === ANY;
}

/**
 * Whether a pattern of an EncryptionConfiguration is for this resource. The group
 * is the one that the resource is stored under: `events` are core ones.
 */
export function covers(pattern: string, { group, resource }: GroupResource): boolean {
  const rule = parseGroupResource(pattern);
  if (rule.group === ANY && rule.resource === ANY) return true;
  return rule.group === group && (rule.resource === ANY || rule.resource === resource);
}
