import { DescribeKeyCommand, type KMSClient } from "@aws-sdk/client-kms";
import { eventually } from "../controlplane/wait.ts";
import { keyAlias, masterKey } from "../standalone/installation.ts";

/** The keys that the calls of every operation need beside the example's own, by name. Each has an alias of its name. */
const KEYS = {
  agree: { keySpec: "ECC_NIST_P256", keyUsage: "KEY_AGREEMENT" },
  asleep: { enabled: false },
  kem: { keySpec: "ML_KEM_512", keyUsage: "ENCAPSULATE_DECAPSULATE" },
  mac: { keySpec: "HMAC_256", keyUsage: "GENERATE_VERIFY_MAC" },
  other: {},
  rsa: { keySpec: "RSA_2048", keyUsage: "ENCRYPT_DECRYPT" },
  sign: { keySpec: "ECC_NIST_P256", keyUsage: "SIGN_VERIFY" },
};

/** Returns the custom resources of these keys. */
export const clientKeys = (): readonly object[] =>
  Object.entries(KEYS).flatMap(([name, spec]) => [
    masterKey(name, spec, "default"),
    keyAlias(name, name, "default"),
  ]);

/** Waits until the API has these keys. */
export async function clientKeysServed(kms: KMSClient): Promise<void> {
  for (const name of Object.keys(KEYS))
    await eventually(`there is alias/${name}`, async () => {
      const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: `alias/${name}` }));
      return KeyMetadata?.KeyState === (name === "asleep" ? "Disabled" : "Enabled") || undefined;
    });
}
