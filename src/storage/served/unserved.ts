import { GROUP as OUR_GROUP } from "../../resources/resources.ts";
import type { ApiService, Discovery } from "./discovery.ts";
import {
  covers,
  type GroupResource,
  groupResourceText,
  isWildcard,
  parseGroupResource,
} from "./group-resource.ts";

/** kube-aggregator's label of an APIService that stands for CustomResourceDefinitions. */
const [MANAGED_LABEL, OF_DEFINITIONS] = ["kube-aggregator.kubernetes.io/automanaged", "true"];

/** The API server's discovery answers. */
export interface Shown {
  readonly discoveries: readonly Discovery[];
  readonly services: readonly ApiService[];
  /** The resources among them that can be rewritten. */
  readonly served: readonly GroupResource[];
}

/**
 * Returns those of the patterns that name custom resources which exist and cannot be rewritten through this
 * API server. An API server that has just started does not list all of them yet; none lists the resources of
 * a definition that is not established; and if a definition is being deleted, nobody may patch the remaining
 * objects. For a wildcard, returns the group or the resource.
 */
export function unserved({ discoveries, services, served }: Shown, patterns: readonly string[]): string[] {
  const missing = services.filter(isOfDefinitions).flatMap(({ spec: { group = "", version = "" } }) => {
    const resources = resourcesOf(discoveries, group, version);
    return resources === undefined
      ? patterns.flatMap((pattern) => patternFor(pattern, group))
      : resources.filter((text) => patterns.some((pattern) => covers(pattern, parseGroupResource(text))));
  });
  const hidden = missing.filter((text) => isWildcard(text) || !served.some((one) => covers(text, one)));
  return [...new Set(hidden)].sort();
}

/** Returns true if an APIService stands for CustomResourceDefinitions. */
export const isOfDefinitions = ({ metadata, spec }: ApiService): boolean =>
  metadata?.labels?.[MANAGED_LABEL] === OF_DEFINITIONS && spec.group !== OUR_GROUP;

/**
 * Returns the resources of a group's version that can be listed, or undefined if the version is not listed.
 */
function resourcesOf(
  discoveries: readonly Discovery[],
  group: string,
  version: string,
): string[] | undefined {
  const versions = discoveries
    .flatMap(({ items }) => items)
    .flatMap((item) => (item.metadata?.name === group ? (item.versions ?? []) : []));
  const shown = versions.find((one) => one.version === version);
  return (
    shown &&
    (shown.resources ?? [])
      .filter(({ verbs }) => verbs.includes("list"))
      .map(({ resource }) => groupResourceText({ group, resource }))
  );
}

/**
 * Returns the pattern itself; for a pattern of all groups, the pattern of this group; nothing if the pattern
 * is for another group.
 */
function patternFor(pattern: string, group: string): string[] {
  const parsed = parseGroupResource(pattern);
  if (parsed.group === "*") return [`*.${group}`];
  return parsed.group === group ? [pattern] : [];
}
