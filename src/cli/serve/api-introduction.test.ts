import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ApiConfig } from "../../config/aws-config.ts";
import type { NodeConfig } from "../../config/config.ts";
import { AwsKeyring, SITE } from "../../testing/aws-keyring.ts";
import { apiIntroduction } from "./api-introduction.ts";

let keyring: AwsKeyring;
/** Answers 200 to everything, as an API that is ready does. */
let api: Server;
beforeEach(async () => {
  keyring = new AwsKeyring();
  api = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
  await once(api, "listening");
});
afterEach(() => {
  api.close();
  keyring.close();
});

function introduction(aliasPatience?: number) {
  const config = { ...SITE, stateDir: dirname(keyring.live.path) } as NodeConfig;
  const site = {
    listen: `127.0.0.1:${(api.address() as AddressInfo).port}`,
    namespace: "apps",
    credentials: "/etc/claviger/credentials.yaml",
  } as ApiConfig;
  return apiIntroduction(config, site, AbortSignal.timeout(60_000), aliasPatience);
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

it("a key whose alias is recorded after it is named by the alias", async () => {
  await keyring.add("orders");
  // The first look at the keyring is made before this returns.
  const text = introduction(60_000);
  keyring.alias("orders", "orders");
  expect(await text).toContain("aws kms encrypt --key-id alias/orders ");
});

it("a key that has got no alias for a while is named by its id", async () => {
  await keyring.add("mac", {}, { keySpec: "HMAC_256" });
  const { keyId } = await keyring.add("orders");
  expect(await introduction(1)).toContain(`aws kms encrypt --key-id ${keyId} `);
});
