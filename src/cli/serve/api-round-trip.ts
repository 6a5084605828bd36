import type { StaticCredential } from "../../aws/credentials/credentials-file.ts";
import { messageOf } from "../../errors.ts";
import { fieldsOf, parsedJson } from "../../json.ts";
import { oneLine } from "../../printable.ts";
import { post } from "../credentials/post.ts";

const PLAINTEXT = Buffer.from("hello").toString("base64");

/** An AWS KMS API, and a key of it. */
export interface ApiSite {
  readonly endpoint: string;
  readonly region: string;
  /** The file of credentials, whose first one signs. */
  readonly credentials: string;
  readonly keyName: string;
}

/**
 * Encrypts and decrypts a text as the printed command does, and says how it went. Another claviger may have the
 * address: only a credential of this one shows it. Never rejects.
 */
export async function apiRoundTrip(site: ApiSite): Promise<string> {
  try {
    const { readCredentials } = await import("../../aws/credentials/credentials-file.ts");
    const [credential] = readCredentials(site.credentials).values();
    if (credential === undefined) throw new Error(`${site.credentials} has no credential`);
    const started = performance.now();
    const { CiphertextBlob } = await call(site, credential, "Encrypt", {
      KeyId: site.keyName,
      Plaintext: PLAINTEXT,
    });
    const { Plaintext } = await call(site, credential, "Decrypt", { CiphertextBlob });
    if (Plaintext !== PLAINTEXT) throw new Error("it did not return the text that it encrypted");
    return `ok: a text was encrypted and decrypted in ${(performance.now() - started).toFixed(1)} ms`;
  } catch (error) {
    return `FAILED: ${oneLine(messageOf(error))}`;
  }
}

/** Calls an operation and returns its answer. Throws an Error with the API's own. */
async function call(
  { endpoint, region }: ApiSite,
  credential: StaticCredential,
  operation: string,
  input: object,
): Promise<Readonly<Record<string, unknown>>> {
  const { signRequest } = await import("../../aws/sigv4/sign-request.ts");
  const url = new URL(endpoint);
  const body = JSON.stringify(input);
  const site = { region, service: "kms" };
  const headers = signRequest({ host: url.host, operation, body }, credential, site, Date.now());
  // The certificate is made for the names that clients use, and no secret is sent.
  const { status, text } = await post(url, body, { headers, rejectUnauthorized: false });
  const answer = fieldsOf(parsedJson(text));
  if (status === 200) return answer;
  throw new Error(
    answer.__type === undefined ? `HTTP ${status}` : refusal(`${answer.__type}: ${answer.message}`),
  );
}

const refusal = (text: string): string =>
  text.startsWith("UnrecognizedClientException")
    ? `${text} Another claviger may have this address: choose another aws.listen`
    : text;
