import { dirname } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ApiConfig } from "../../config/aws-config.ts";
import type { NodeConfig } from "../../config/config.ts";
import { AwsKeyring, SITE } from "../../testing/aws-keyring.ts";
import { apiIntroduction } from "./api-introduction.ts";

let keyring: AwsKeyring;
beforeEach(() => {
  keyring = new AwsKeyring();
});
afterEach(() => keyring.close());

/** An API with TLS counts as ready: its certificate is the clients' affair. */
function introduction() {
  const config = { ...SITE, stateDir: dirname(keyring.live.path) } as NodeConfig;
  const api = {
    listen: "127.0.0.1:8443",
    namespace: "apps",
    credentials: "/etc/claviger/credentials.yaml",
    tls: { cert: "tls.crt", key: "tls.key" },
  } as ApiConfig;
  return apiIntroduction(config, api, AbortSignal.timeout(10_000));
}

it("the command to paste names a key that encrypts, whatever other keys there are", async () => {
  for (const [name, keySpec] of [
    ["a-mac", "HMAC_256"],
    ["a-signer", "ECC_NIST_P256"],
  ] as const) {
    await keyring.add(name, {}, { keySpec });
    keyring.alias(name, name);
  }
  await keyring.add("asleep", { enabled: false });
  keyring.alias("asleep", "asleep");
  await keyring.add("orders");
  keyring.alias("orders", "orders");
  expect(await introduction()).toContain("aws kms encrypt --key-id alias/orders ");
});

it("a key without an alias is named by its id", async () => {
  await keyring.add("mac", {}, { keySpec: "HMAC_256" });
  const { keyId } = await keyring.add("orders");
  expect(await introduction()).toContain(`aws kms encrypt --key-id ${keyId} `);
});
