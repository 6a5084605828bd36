import { KubeError } from "../../kube/kube-error.ts";
import type { ApiResource, StoredName } from "../served/discovery.ts";

/** A value in etcd that the API server cannot read. */
export interface UnreadableValue {
  readonly key: string;
  /** The API server's message about it. */
  readonly message: string;
}

/** An object that the API server cannot read, and the reason. */
export interface UnreadableObject extends StoredName {
  readonly message: string;
}

/**
 * Returns the values that the API server could not decrypt or decode for a list, in key order, or undefined
 * if the list failed for another reason. Since 1.37 the answer names up to 100 of them as its causes
 * (KEP-3926); older API servers name the first in the message.
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
 * Returns the message without any quotation of the object. Parsers quote a value that cannot be decoded, and
 * a conversion webhook may say anything. A value that cannot be decrypted is never quoted.
 */
function withoutValues(said: string): string {
  // The text before it repeats the key, and could push the reason out of a message of bounded length.
  const message = said.replace(/^StorageError: .*?AdditionalErrorMsg: /, "");
  if (!/not decodable|unable to decode/.test(message)) return message;
  const webhook = /conversion webhook for [^:]* failed(?=: (?!Post "https:))/.exec(message);
  const ours = webhook === null ? message : message.slice(0, webhook.index + webhook[0].length);
  // `Object 'Kind' is missing in '…'` quotes the whole object, its numbers too.
  const bare = ours.replace(/ is missing in '[\s\S]*/, " is missing");
  return bare.replaceAll(/"([^"]*)(?:"|$)/g, (quote, text: string) =>
    text.startsWith("https:") ? quote : '"…"',
  );
}

/** Returns the object under a key; PREFIX/…/NAMESPACE/NAME or PREFIX/…/NAME. */
export function nameOfKey(key: string, { namespaced }: ApiResource): StoredName {
  const [name = "", namespace = ""] = key.split("/").reverse();
  return namespaced ? { namespace, name } : { name };
}
