import { expect, test } from "vitest";
import { loadPluginMetrics } from "./metrics.ts";

const provider = { name: "secrets", keyId: undefined, lastStatusAt: undefined, isSilent: false };

/** Returns the failures by operation, as a scrape shows them. */
const failures = (text: string): Record<string, number> =>
  Object.fromEntries(
    [...text.matchAll(/^claviger_kms_failures_total\{provider="secrets",operation="(\w+)"\} (\d+)$/gm)].map(
      ([, operation, count]) => [operation, Number(count)],
    ),
  );

test("the first failed call is an increase: before it the provider's failures are 0, not absent", async () => {
  const metrics = await loadPluginMetrics({ providers: () => [provider], versions: () => 0 });
  expect(failures(await metrics.render())).toEqual({ Status: 0, Encrypt: 0, Decrypt: 0 });
  metrics.observe({
    provider: "secrets",
    operation: "Decrypt",
    outcome: "InvalidCiphertext",
    seconds: 0.001,
  });
  metrics.observe({ provider: "secrets", operation: "Decrypt", outcome: "OK", seconds: 0.001 });
  expect(failures(await metrics.render())).toEqual({ Status: 0, Encrypt: 0, Decrypt: 1 });
});
