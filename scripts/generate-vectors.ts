/**
 * Writes the published test vectors, test/vectors/*.json. A test fails if they differ. A released format
 * never changes, so a difference is either a new format with new files, or a mistake.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CONTEXT_ABOUT, contextVectors } from "../test/vectors/context-vectors.ts";
import { GRANT_TOKEN_ABOUT, grantTokenVectors } from "../test/vectors/grant-token-vectors.ts";
import { vectorFile } from "../test/vectors/inputs.ts";
import { KEY_ID_ABOUT, keyIdVectors } from "../test/vectors/key-id-vectors.ts";
import { MATERIAL_ID_ABOUT, materialIdVectors } from "../test/vectors/material-id-vectors.ts";
import { MESSAGE_ABOUT } from "../test/vectors/message-vector.ts";
import { messageVectors } from "../test/vectors/message-vectors.ts";
import { OWNERSHIP_ABOUT, ownershipVectors } from "../test/vectors/ownership-vectors.ts";
import { SEAL_FILE_ABOUT, sealFileVectors } from "../test/vectors/seal-file-vectors.ts";

export const VECTORS_FOLDER = join(import.meta.dirname, "..", "test", "vectors");

/** Returns the vector files by name. */
export function vectorFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["message-v1.json", vectorFile(MESSAGE_ABOUT, messageVectors())],
    ["seal-file-v1.json", vectorFile(SEAL_FILE_ABOUT, sealFileVectors())],
    ["key-id-v1.json", vectorFile(KEY_ID_ABOUT, keyIdVectors())],
    ["material-id-v1.json", vectorFile(MATERIAL_ID_ABOUT, materialIdVectors())],
    ["ownership-v1.json", vectorFile(OWNERSHIP_ABOUT, ownershipVectors())],
    ["grant-token-v1.json", vectorFile(GRANT_TOKEN_ABOUT, grantTokenVectors())],
    ["context-v1.json", vectorFile(CONTEXT_ABOUT, contextVectors())],
  ]);
}

if (import.meta.main) {
  for (const [name, text] of vectorFiles()) writeFileSync(join(VECTORS_FOLDER, name), text);
}
