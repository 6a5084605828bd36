import { ClavigerError } from "../../errors.ts";
import { decodeGoBase64 } from "../../go/go-base64.ts";
import { fieldsOf, parseJson } from "../../json.ts";
import type { DecryptRequest, EncryptResponse } from "../../plugin/kms-messages.ts";
import { printableJson } from "../../printable.ts";

/** Renders the answer of an Encrypt as one line of JSON, with the fields of KMS v2's EncryptResponse. */
export const messageLine = ({ ciphertext, keyId }: EncryptResponse): string =>
  `${printableJson({ keyId, ciphertext: Buffer.from(ciphertext).toString("base64"), annotations: {} })}\n`;

/** Parses such a line. Throws InvalidArgument, which quotes nothing of it. */
export function parseMessage(bytes: Buffer): Omit<DecryptRequest, "uid"> {
  const fields = fieldsOf(parseJson(bytes.toString("utf8"), "stdin", "InvalidArgument"));
  const { keyId } = fields;
  const ciphertext = base64("ciphertext", fields.ciphertext);
  if (typeof keyId !== "string") throw wrong("keyId", "a text");
  const annotations = Object.entries(fieldsOf(fields.annotations)).map(
    ([name, value]) => [name, base64("annotations", value)] as const,
  );
  return { ciphertext, keyId, annotations: new Map(annotations) };
}

function base64(field: string, value: unknown): Buffer {
  const bytes = typeof value === "string" ? decodeGoBase64(value) : undefined;
  if (bytes === undefined) throw wrong(field, "base64");
  return bytes;
}

const wrong = (field: string, kind: string): ClavigerError =>
  new ClavigerError(
    "InvalidArgument",
    `${field} is not ${kind}: stdin must have a line that claviger encrypt printed`,
  );
