import type { Machine } from "./machine.ts";

const CURL =
  "curl -sSf --cacert /etc/kubernetes/pki/etcd/ca.crt --cert /etc/kubernetes/pki/etcd/server.crt --key /etc/kubernetes/pki/etcd/server.key";

/** Returns the values that etcd of a node stores below a prefix, by their keys, as the bytes' latin1 text. */
export async function storedBelow(node: Machine, prefix: string): Promise<ReadonlyMap<string, string>> {
  // etcd's convention for a prefix: the range ends before the prefix with its last byte plus one.
  const end = `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
  const body = JSON.stringify({ key: btoa(prefix), range_end: btoa(end) });
  const reply = await node.must(`${CURL} https://127.0.0.1:2379/v3/kv/range -d @-`, body);
  const { kvs = [] } = JSON.parse(reply) as { readonly kvs?: readonly { key: string; value: string }[] };
  return new Map(kvs.map(({ key, value }) => [atob(key), atob(value)]));
}
