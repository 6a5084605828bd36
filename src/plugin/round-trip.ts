import { randomBytes } from "node:crypto";
import { ClavigerError } from "../errors.ts";
import { KmsClient } from "./kms-client.ts";
import { selfCheckUid } from "./self-check.ts";

/** The results of a provider's calls over its socket. */
export interface RoundTrip {
  readonly keyId: string;
  readonly ciphertextBytes: number;
  readonly milliseconds: number;
}

/** Calls Status, Encrypt and Decrypt with 32 random bytes over the socket. Throws the provider's error. */
export async function roundTrip(socket: string): Promise<RoundTrip> {
  const client = new KmsClient(socket);
  try {
    const started = performance.now();
    const { keyId } = await client.status();
    const seed = randomBytes(32);
    const uid = selfCheckUid();
    const encrypted = await client.encrypt({ plaintext: seed, uid });
    const request = { ciphertext: Buffer.from(encrypted.ciphertext), uid, keyId, annotations: new Map() };
    const opened = await client.decrypt(request);
    if (encrypted.keyId !== keyId || Buffer.compare(opened, seed) !== 0) {
      throw new ClavigerError(
        "Internal",
        `the provider on ${socket} did not return the plaintext that it encrypted`,
      );
    }
    const milliseconds = performance.now() - started;
    return { keyId, ciphertextBytes: encrypted.ciphertext.length, milliseconds };
  } finally {
    client.close();
  }
}
