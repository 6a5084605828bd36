import { nameText, type ObjectName } from "../names.ts";

/** A piece of the leader's work: an object, or the work on all nodes or all retiring keys. */
export type WorkItem =
  | { readonly kind: "MasterKey" | "KeyAlias"; readonly name: ObjectName }
  | typeof KEY_SERVERS
  | typeof RETIREMENT;

/** The records of all nodes. */
export const KEY_SERVERS = { kind: "KeyServers" } as const;
/** Everything that waits for its destruction. */
export const RETIREMENT = { kind: "Retirement" } as const;

export const masterKeyWork = (name: ObjectName): WorkItem => ({ kind: "MasterKey", name });
export const keyAliasWork = (name: ObjectName): WorkItem => ({ kind: "KeyAlias", name });

/** The text that names an item in maps and log lines, the same for equal items. */
export const workKey = (item: WorkItem): string =>
  "name" in item ? `${item.kind} ${nameText(item.name)}` : item.kind;

/** The namespace of the item's object; empty for work that belongs to no namespace. */
export const workNamespace = (item: WorkItem): string => ("name" in item ? item.name.namespace : "");

/** Each item once, in the order of its first mention. */
export const uniqueWork = (items: readonly WorkItem[]): WorkItem[] => [
  ...new Map(items.map((item) => [workKey(item), item])).values(),
];
