import { KubeError } from "../../kube/kube-error.ts";
import type { ApiResource, StoredName } from "../served/discovery.ts";

/** A value in etcd that the API server cannot read. */
export interface UnreadableValue {
  readonly key: string;
  /** What the API server says of it. */
  readonly message: string;
}

/** An object that the API server cannot read, and why. */
export interface UnreadableObject extends StoredName {
  readonly message: string;
}

/**
 * Returns the values that the API server could not decrypt or decode for a list, in the order
 * of their keys; undefined if the list failed for another reason. Since 1.37 the answer names
 * up to 100 as its causes (KEP-3926); before, it names the first one in its message.
 */
export function unreadableValues(error: unknown): readonly UnreadableValue[] | undefined {
  if (!(error instanceof KubeError)) return undefined;
  const { reason, message = "", causes } = error.refusal;
  if (reason === "StorageReadError") {
    return causes.flatMap(({ field, message: why = message }) =>
      field?.startsWith("/") ? [{ key: field, message: withoutValues(why) }] : [],
    );
  }
  const key = /unable to (?:transform|decode) key "([^"]+)"/.exec(message)?.[1];
  return error.httpStatus === 500 && key !== undefined
    ? [{ key, message: withoutValues(message) }]
    : undefined;
}

/**
 * Returns the message without what it may quote of the object. What cannot be decrypted is not
 * quoted; what cannot be decoded is quoted by parsers, and a conversion webhook may say anything.
 */
function withoutValues(said: string): string {
  // What comes before repeats the key, and could push the reason out of a message of bounded length.
  const message = said.replace(/^StorageError: .*?AdditionalErrorMsg: /, "");
  if (!/not decodable|unable to decode/.test(message)) return message;
  const webhook = /conversion webhook for [^:]* failed(?=: (?!Post "https:))/.exec(message);
  const ours = webhook === null ? message : message.slice(0, webhook.index + webhook[0].length);
  // `Object 'Kind' is missing in '…'` has the whole of the object, its numbers too.
  const bare = ours.replace(/ is missing in '[\s\S]*/, " is missing");
  return bare.replaceAll(/"([^"]*)(?:"|$)/g, (quote, text: string) =>
    text.startsWith("https:") ? quote : '"…"',
  );
}

/** The object under a key; PREFIX/…/NAMESPACE/NAME or PREFIX/…/NAME. */
export function nameOfKey(key: string, { namespaced }: ApiResource): StoredName {
  const [name = "", namespace = ""] = key.split("/").reverse();
  return namespaced ? { namespace, name } : { name };
}
