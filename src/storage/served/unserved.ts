import { GROUP as OUR_GROUP } from "../../resources/resources.ts";
import type { ApiService, Discovery } from "./discovery.ts";
import {
  covers,
  type GroupResource,
  groupResourceText,
  isWildcard,
  parseGroupResource,
} from "./group-resource.ts";

/** kube-aggregator's mark of an APIService that stands for CustomResourceDefinitions. */
const [MANAGED_LABEL, OF_DEFINITIONS] = ["kube-aggregator.kubernetes.io/automanaged", "true"];

/** What an API server says that there is. */
export interface Shown {
  readonly discoveries: readonly Discovery[];
  readonly services: readonly ApiService[];
  /** What of it can be rewritten. */
  readonly served: readonly GroupResource[];
}

/**
 * Which of these patterns name custom resources that are there and cannot be rewritten
 * through this API server: one that has just started does not show all of them yet, none
 * shows those of a definition that is not established, and of a definition that is being
 * deleted nobody may patch what is left. For a wildcard, the group or the resource.
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

/** Whether an APIService stands for CustomResourceDefinitions. */
export const isOfDefinitions = ({ metadata, spec }: ApiService): boolean =>
  metadata?.labels?.[MANAGED_LABEL] === OF_DEFINITIONS && spec.group !== OUR_GROUP;

/** The resources of a group's version that can be listed; undefined where it is not shown. */
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

/** The pattern itself, or for all groups one for this one; nothing where it is for another group. */
function patternFor(pattern: string, group: string): string[] {
  const parsed = parseGroupResource(pattern);
  if (parsed.group === "*") return [`*.${group}`];
  return parsed.group === group ? [pattern] : [];
}
