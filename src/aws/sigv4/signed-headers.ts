import type { SignedHeaders } from "./authorization.ts";
import type { HeaderList } from "./header-list.ts";
import { invalid, mismatch } from "./refusals.ts";

/** Headers that change nothing here, and that some clients or the proxies between do not sign. */
const MAY_BE_UNSIGNED: ReadonlySet<string> = new Set(["x-amz-user-agent", "x-amz-cf-id"]);

/**
 * Throws InvalidSignatureException if a header that means something was sent and is not signed: whoever stands
 * between could change it. These are Host, the header with the time, and all of X-Amz-*. Content-Type only chooses
 * between KMS and STS, which the credential scope names too; curl does not sign the one that it adds by itself.
 */
export function checkSignedHeaders(
  headers: HeaderList,
  { names: signed }: SignedHeaders,
  timeHeader: "x-amz-date" | "date",
): void {
  const unsigned = headers
    .names()
    .find((name) => !signed.has(name) && (name === timeHeader || mustBeSigned(name)));
  if (!signed.has("host")) throw notSigned("Host' or ':authority");
  if (unsigned !== undefined) throw notSigned(unsigned);
  // A header that was signed and is gone changes the meaning as much as a changed one.
  for (const name of signed) if (headers.single(name) === undefined) throw mismatch();
}

const mustBeSigned = (name: string): boolean => name.startsWith("x-amz-") && !MAY_BE_UNSIGNED.has(name);

const notSigned = (name: string): Error =>
  invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
