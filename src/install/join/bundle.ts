import { Secret } from "../../crypto/secret.ts";
import { ClavigerError } from "../../errors.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import { PATHS } from "../paths.ts";

/** The content of an answer: the root key, and the files of the new node by their paths. */
export interface Bundle {
  readonly rootKey: Secret;
  readonly files: ReadonlyMap<string, string>;
}

/** The files that an answer may have. Everything else is refused, whoever sent it. */
const ALLOWED: ReadonlySet<string> = new Set([
  PATHS.config,
  PATHS.kubeconfig,
  PATHS.rewriterKubeconfig,
  PATHS.apiKubeconfig,
  PATHS.encryptionConfig,
  `${PATHS.manifests}/claviger-plugin.yaml`,
  `${PATHS.manifests}/claviger-operator.yaml`,
  `${PATHS.manifests}/claviger-api.yaml`,
]);
const ROOT_KEY_BYTES = 32;

/** Renders a bundle as JSON. The caller encrypts the bytes and wipes them. */
export function encodeBundle({ rootKey, files }: Bundle): Secret {
  const key = Buffer.from(rootKey.exposeSecretBytes()).toString("base64");
  return Secret.take(Buffer.from(JSON.stringify({ rootKey: key, files: Object.fromEntries(files) })));
}

/** Parses a bundle. Throws InvalidArgument, and quotes nothing. */
export function parseBundle(bytes: Secret): Bundle {
  const { rootKey, files } = fieldsOf(parsedJson(Buffer.from(bytes.exposeSecretBytes()).toString("utf8")));
  const key = Buffer.from(typeof rootKey === "string" ? rootKey : "", "base64");
  if (key.length !== ROOT_KEY_BYTES) throw malformed();
  const entries = Object.entries(fieldsOf(files)).map(([path, text]) => {
    if (!ALLOWED.has(path) || typeof text !== "string") throw malformed();
    return [path, text] as const;
  });
  return { rootKey: Secret.take(key), files: new Map(entries) };
}

const malformed = (): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    "the answer holds something that no release of claviger up to this one writes: use the same release on both nodes",
  );
