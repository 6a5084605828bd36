import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A user whom every API server of a control plane knows by a bearer token. */
export interface User {
  readonly name: string;
  readonly token: string;
  readonly groups: readonly string[];
}

/** Files that all API servers of one control plane share. */
export interface Identities {
  readonly admin: User;
  readonly users: readonly User[];
  readonly tokenFile: string;
  readonly serviceAccountKey: string;
  readonly serviceAccountPublicKey: string;
}

/**
 * Writes the token file and the service-account key pair into `dir`. An existing key pair is kept, because
 * tokens may have been issued with it. The users are an admin (system:masters) with a new token, and the
 * given users.
 */
export async function writeIdentities(dir: string, others: readonly User[]): Promise<Identities> {
  const admin = { name: "admin", token: randomBytes(16).toString("hex"), groups: ["system:masters"] };
  const users = [admin, ...others];
  const identities: Identities = {
    admin,
    users,
    tokenFile: join(dir, "tokens.csv"),
    serviceAccountKey: join(dir, "sa.key"),
    serviceAccountPublicKey: join(dir, "sa.pub"),
  };
  await writeFile(identities.tokenFile, users.map(tokenLine).join(""), { mode: 0o600 });
  if (!existsSync(identities.serviceAccountKey)) await writeKeyPair(identities);
  return identities;
}

function tokenLine({ name, token, groups }: User): string {
  return `${token},${name},${name},"${groups.join(",")}"\n`;
}

async function writeKeyPair(identities: Identities): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await writeFile(identities.serviceAccountPublicKey, publicKey.export({ type: "spki", format: "pem" }));
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  await writeFile(identities.serviceAccountKey, pem, { mode: 0o600 });
}
