import { statSync } from "node:fs";
import { MAX_YAML_BYTES } from "../../config/bounded-yaml.ts";
import { Section } from "../../config/yaml-section.ts";
import { Secret } from "../../crypto/secret.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import { readOwnFile } from "../../files/own-file.ts";
import { octal } from "../../files/private-path.ts";

/** A user of the AWS KMS API whose secret is in the file of credentials. */
export interface StaticCredential {
  readonly accessKeyId: string;
  readonly secret: Secret;
  readonly user: string;
  readonly groups: readonly string[];
}

const ACCESS_KEY_ID = /^\w{16,128}$/;
/** A secret that can be guessed is none. AWS's own have 40 characters. */
const SECRET = /^[!-~]{20,256}$/;
/** A user or group of Kubernetes: no control characters, so that it can be shown. */
const NAME = /^[\x20-\x7e]{1,253}$/;
const GROUP_OR_OTHERS = 0o077;

/**
 * Reads a file of credentials: a YAML list of accessKeyId, secretAccessKey, user and groups. Only its owner may
 * be able to open the file. Throws ConfigInvalid, which never quotes the file.
 */
export function readCredentials(path: string): ReadonlyMap<string, StaticCredential> {
  const credentials = parseCredentials(readPrivate(path), path);
  const byId = new Map(credentials.map((credential) => [credential.accessKeyId, credential]));
  if (byId.size < credentials.length)
    throw new ClavigerError("ConfigInvalid", `credentials ${path}: two entries have the same accessKeyId`);
  return byId;
}

function readPrivate(path: string): string {
  try {
    const text = readOwnFile(path, MAX_YAML_BYTES);
    const stat = statSync(path);
    if ((stat.mode & GROUP_OR_OTHERS) === 0) return text;
    throw new Error(`it has mode ${octal(stat)} and can be opened by others; run: chmod 600 ${path}`);
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `credentials ${path} cannot be used: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Parses the text of a file of credentials. Throws ConfigInvalid. */
export const parseCredentials = (text: string, path: string): StaticCredential[] =>
  Section.entries(text, path, "credentials").map((entry) => {
    const credential = {
      accessKeyId: entry.text("accessKeyId", ACCESS_KEY_ID),
      secret: Secret.take(Buffer.from(entry.text("secretAccessKey", SECRET), "ascii")),
      user: entry.text("user", NAME),
      groups: entry.texts("groups", NAME),
    };
    entry.refuseUnknown();
    return credential;
  });
