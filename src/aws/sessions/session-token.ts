import {
  decryptMessage,
  encryptMessage,
  type Message,
  type MessageScope,
  parseMessage,
} from "../../crypto/message.ts";
import { Secret } from "../../crypto/secret.ts";
import { InvalidCiphertext } from "../../errors.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import type { Session } from "./session.ts";
import type { SessionKey } from "./session-keys.ts";

/** A session with the secret that signs its requests. */
export interface SecretSession extends Session {
  readonly secret: Secret;
}

/** Base64 of the longest message. */
const MAX_TOKEN_LENGTH = 6_000;

/**
 * Seals a session into its token: a message (docs/formats.md) of purpose "aws-session", bound to the account,
 * whose plaintext is JSON. Throws InvalidArgument for a session that is too long.
 */
export function sealSession(key: SessionKey, account: string, session: SecretSession): string {
  const { accessKeyId, user, groups, name, expiresAt, secret } = session;
  const text = Buffer.from(secret.exposeSecretBytes()).toString("latin1");
  const plaintext = { accessKeyId, user, groups, name, expiresAt: expiresAt / 1000, secret: text };
  return encryptMessage(scopeOf(key, account), Buffer.from(JSON.stringify(plaintext))).toString("base64");
}

/** Reads a session token; nothing is opened or trusted yet. Returns undefined for a text that is no message. */
export function parseSessionToken(token: string): Message | undefined {
  if (token.length > MAX_TOKEN_LENGTH) return undefined;
  const bytes = Buffer.from(token, "base64");
  // Of the texts that mean the same bytes only one is a token.
  if (bytes.toString("base64") !== token) return undefined;
  try {
    return parseMessage(bytes);
  } catch (error) {
    if (error instanceof InvalidCiphertext) return undefined;
    throw error;
  }
}

/** Opens a session token. Returns undefined if it was not sealed under this key for this account. */
export function openSession(key: SessionKey, account: string, message: Message): SecretSession | undefined {
  try {
    return sessionOf(decryptMessage(scopeOf(key, account), message));
  } catch (error) {
    if (error instanceof InvalidCiphertext) return undefined;
    throw error;
  }
}

const scopeOf = (key: SessionKey, account: string): MessageScope => ({
  ...key,
  purpose: "aws-session",
  context: { account },
});

/** Reads what another release may have written. */
function sessionOf(plaintext: Buffer): SecretSession | undefined {
  const { accessKeyId, secret, user, groups, name, expiresAt } = fieldsOf(
    parsedJson(plaintext.toString("utf8")),
  );
  plaintext.fill(0);
  if (!isText(accessKeyId) || !isText(secret) || !isText(user) || !isText(name)) return undefined;
  if (!Array.isArray(groups) || !groups.every(isText) || typeof expiresAt !== "number") return undefined;
  const bytes = Buffer.from(secret, "latin1");
  return { accessKeyId, user, groups, name, expiresAt: expiresAt * 1000, secret: Secret.take(bytes) };
}

const isText = (value: unknown): value is string => typeof value === "string";
