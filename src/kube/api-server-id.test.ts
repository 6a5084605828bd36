import { expect, test } from "vitest";
import { apiServerId, apiServerIdHash } from "./api-server-id.ts";

/** Computed by Go's crypto/sha256 and encoding/base32. */
test.each([
  [
    "node-1",
    "apiserver-lgabes5ywnaqeagh5dny4zlzs4",
    "sha256:301f0ab033485d02da8c424142b92d830c6cb0fe2a367f125571d58c8d83307e",
  ],
  [
    "ip-10-0-0-1.eu-central-1.compute.internal",
    "apiserver-ymheqvmvkntjpzkfzciohc2oaq",
    "sha256:9e69717f87d5a5a71011442bd4fc6c217f887c10b413b59faf424cbc1bd68577",
  ],
])("the API server on the host %s has its identity", (hostname, id, hash) => {
  expect(apiServerId(hostname)).toBe(id);
  expect(apiServerIdHash(id)).toBe(hash);
});
