import type { ProviderConfig } from "../../config/config.ts";
import { ClavigerError } from "../../errors.ts";
import { keyRefText } from "../../names.ts";
import { callFault, KmsClient } from "../../plugin/kms-client.ts";
import type { DecryptRequest } from "../../plugin/kms-messages.ts";
import { selfCheckUid } from "../../plugin/self-check.ts";
import { messageLine } from "./message.ts";
import { roundTripText } from "./round-trip-text.ts";

/** Encrypts through a provider's socket. Returns the line that `decrypted` takes, or a report of the way back too. */
export const encryptedText = (
  provider: ProviderConfig,
  plaintext: Buffer,
  roundTrip: boolean,
): Promise<string> =>
  overSocket(provider, (client) =>
    roundTrip
      ? tryRoundTrip(client, provider, plaintext)
      : client.encrypt({ plaintext, uid: selfCheckUid() }).then(messageLine),
  );

/** Decrypts through a provider's socket. */
export const decrypted = (provider: ProviderConfig, message: Omit<DecryptRequest, "uid">) =>
  overSocket(provider, (client) => client.decrypt({ ...message, uid: selfCheckUid() }));

/** Calls a socket. Throws NotReady with the plugin's own words. */
async function overSocket<T>({ name, socket }: ProviderConfig, call: (client: KmsClient) => Promise<T>) {
  const client = new KmsClient(socket);
  try {
    return await call(client);
  } catch (error) {
    if (error instanceof ClavigerError) throw error;
    throw new ClavigerError("NotReady", `provider ${name} on ${socket} did not do it: ${callFault(error)}`);
  } finally {
    client.close();
  }
}

async function tryRoundTrip(client: KmsClient, { ref }: ProviderConfig, plaintext: Buffer): Promise<string> {
  // The first call connects, which would count as the time of the encryption.
  await client.status();
  const started = performance.now();
  const encrypted = await client.encrypt({ plaintext, uid: selfCheckUid() });
  const between = performance.now();
  const { keyId } = encrypted;
  const request = { ciphertext: Buffer.from(encrypted.ciphertext), keyId, annotations: new Map() };
  const opened = await client.decrypt({ ...request, uid: selfCheckUid() });
  return roundTripText({
    key: keyRefText(ref),
    plaintext,
    encrypted,
    opened,
    encryptMilliseconds: between - started,
    decryptMilliseconds: performance.now() - between,
  });
}
