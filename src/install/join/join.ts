import type { Secret } from "../../crypto/secret.ts";
import { ClavigerError } from "../../errors.ts";
import { fileRootKey } from "../../seal/file-root-key.ts";
import { readRootKey, storeRootKey } from "../../seal/root-key-file.ts";
import { applyChange } from "../apply-change.ts";
import { PATHS } from "../paths.ts";
import { placeOf, type Site } from "../site.ts";
import { foldersStep } from "../steps/node-steps.ts";
import { exists, textOf } from "../text-file.ts";
import { openAnswer, sealAnswer } from "./answer.ts";
import { encodeBundle, parseBundle } from "./bundle.ts";
import { mustHaveCode } from "./check-code.ts";
import { filesFor } from "./node-files.ts";
import { mustBeRecent, parseRequest } from "./request.ts";
import { forgetRequest, readOpenRequest } from "./request-file.ts";

/** A request or an answer as it arrived, and the code that a person typed. */
export interface Carried {
  readonly bytes: Buffer;
  readonly code: string;
}

/** Answers the request of another node with this node's root key and the files of that node. */
export async function answerRequest(
  site: Site,
  { bytes, code }: Carried,
  now: number,
): Promise<{ readonly nodeName: string; readonly answer: Buffer }> {
  mustHaveCode("request", bytes, code);
  const request = parseRequest(bytes);
  mustBeRecent(request, now);
  using rootKey = readRootKey(placeOf(site, PATHS.rootKey));
  const files = await filesFor(site, request);
  using bundle = encodeBundle({ rootKey, files });
  return {
    nodeName: request.nodeName,
    answer: sealAnswer(bytes, request.publicKey, bundle.exposeSecretBytes()),
  };
}

/**
 * Opens the answer to this node's request and writes what it holds, the static pods last, because the kubelet
 * starts them at once. Nothing opens the answer again afterwards. Throws InvalidArgument if a file is there
 * with another text.
 */
export async function takeAnswer(
  site: Site,
  { bytes, code }: Carried,
): Promise<{ readonly rootKeyId: string }> {
  mustHaveCode("answer", bytes, code);
  const { request, privateKey } = readOpenRequest(site);
  using plaintext = openAnswer(bytes, request, privateKey);
  const { rootKey, files } = parseBundle(plaintext);
  using key = rootKey;
  mustFit(site, files);
  await makeFolders(site);
  const rootKeyId = takeRootKey(placeOf(site, PATHS.rootKey), key);
  const pods = (path: string) => Number(path.startsWith(PATHS.manifests));
  for (const [path, after] of [...files].toSorted(([a], [b]) => pods(a) - pods(b))) {
    await applyChange(site, { kind: "file", path, mode: 0o600, before: textOf(placeOf(site, path)), after });
  }
  forgetRequest(site);
  return { rootKeyId };
}

async function makeFolders(site: Site): Promise<void> {
  const plan = await foldersStep(site).plan();
  if (plan.kind === "act") for (const change of plan.changes) await applyChange(site, change);
}

/** A run that was cut off has written the key already. */
function takeRootKey(place: string, key: Secret): string {
  if (!exists(place)) storeRootKey(place, key);
  using stored = readRootKey(place);
  if (!Buffer.from(stored.exposeSecretBytes()).equals(Buffer.from(key.exposeSecretBytes()))) {
    throw new ClavigerError(
      "InvalidArgument",
      `${PATHS.rootKey} is there and is another root key than the answer's: move it away first if nothing is encrypted under it`,
    );
  }
  return fileRootKey(place).identify(true);
}

function mustFit(site: Site, files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) {
    const there = textOf(placeOf(site, path));
    if (there === undefined || there === text) continue;
    throw new ClavigerError(
      "InvalidArgument",
      `${path} is there and differs from the one in the answer: move it away, and open the answer again`,
    );
  }
}
