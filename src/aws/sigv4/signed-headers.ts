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
  signed: readonly string[],
  timeHeader: "x-amz-date" | "date",
): void {
  const names = new Set(signed);
  const unsigned = headers
    .names()
    .find((name) => !names.has(name) && (name === timeHeader || mustBeSigned(name)));
  if (!names.has("host")) throw notSigned("Host' or ':authority");
  if (unsigned !== undefined) throw notSigned(unsigned);
  // A header that was signed and is gone changes the meaning as much as a changed one.
  if (signed.some((name) => headers.single(name) === undefined)) throw mismatch();
}

const mustBeSigned = (name: string): boolean => name.startsWith("x-amz-") && !MAY_BE_UNSIGNED.has(name);

const notSigned = (name: string): Error =>
  invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
