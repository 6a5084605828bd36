import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { ClavigerError, messageOf } from "../../errors.ts";
import { flawOnTheWay } from "../../files/private-path.ts";
import { createFile } from "../../files/whole-file.ts";

/**
 * Creates a file of credentials (0600) with a random secret for an administrator, if there is none. It never
 * replaces a file. Throws
 * ConfigInvalid if the file cannot be written.
 */
export function createFirstCredentials(path: string): void {
  if (existsSync(path)) return;
  try {
    const flaw = flawOnTheWay(dirname(path));
    if (flaw !== undefined) throw new Error(flaw);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    createFile(path, firstCredentials(), 0o600);
  } catch (cause) {
    throw new ClavigerError("ConfigInvalid", `credentials ${path} could not be made: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** An access key id has 20 characters and a secret 40, as AWS's have. */
const firstCredentials = (): string => `# Made at the first start. Changes are read again while claviger runs.
- accessKeyId: CLAV${randomBytes(8).toString("hex").toUpperCase()}
  secretAccessKey: ${randomBytes(30).toString("base64url")}
  user: admin
  groups: [system:masters]
`;
