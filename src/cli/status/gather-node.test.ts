import { join } from "node:path";
import { expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { KeyringWriter } from "../../keyring/writer.ts";
import { key, keyId, temporaryFolder } from "../../testing/keyring.ts";
import { reportKeys } from "./gather-node.ts";

test("keys are shown in the order of their names, whichever came first", () => {
  using folder = temporaryFolder();
  const text = `
apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: node-1
stateDir: ./state
seal: { file: { path: ./root.key } }
manifests: ./keys
`;
  const config = parseConfig(text, join(folder.path, "claviger.yaml"));
  const keyring = KeyringWriter.open(config.stateDir);
  const names = ["shop/payments", "apps/users", "apps/orders"];
  names.forEach((text, at) => {
    const [namespace = "", name = ""] = text.split("/");
    keyring.apply([{ kind: "putKey", key: key({ namespace, name, keyId: keyId(at) }) }]);
  });
  keyring.close();
  expect(reportKeys(config).map((row) => row.key)).toEqual(["apps/orders", "apps/users", "shop/payments"]);
});
