/** The beginning of a KeyServer's `serves` if a KeyAlias is served; its NAMESPACE/NAME follows. */
export const ALIAS = "alias ";

/** A namespaced name. */
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** Formats a MasterKey or KeyAlias for configuration, messages and maps: NAMESPACE/NAME. */
export const nameText = ({ namespace, name }: ObjectName): string => `${namespace}/${name}`;

/** The name that `nameText` wrote. */
export function parseNameText(text: string): ObjectName {
  const [namespace = "", name = ""] = text.split("/");
  return { namespace, name };
}

/** Formats a KeyAlias, given as NAMESPACE/NAME, for a KeyServer's `serves`. */
export const servedAlias = (name: string): string => `${ALIAS}${name}`;

/** The key that a provider serves: a MasterKey, or a KeyAlias that points to one. */
export type KeyRef = { readonly key: ObjectName } | { readonly alias: ObjectName };

export const keyRefText = (ref: KeyRef): string =>
  "key" in ref ? nameText(ref.key) : servedAlias(nameText(ref.alias));
