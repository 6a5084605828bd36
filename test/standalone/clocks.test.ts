import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KeyringReader } from "../../src/keyring/reader.ts";
import { conditionOf } from "../../src/resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../src/resources/resources.ts";
import { periodIsRecorded } from "../cluster/waiting-periods.ts";
import { eventually } from "../controlplane/wait.ts";
import { Installation, masterKey, type Run } from "./installation.ts";

const FORTY_DAYS = 40 * 86_400;
const NAMESPACE = "claviger-system";

describe("the waiting period of a standalone installation", () => {
  let installation: Installation;
  let operator: Run;
  let keyId: string | undefined;
  const clock = () => join(installation.dir, "clock");
  const environment = () => ({ CLAVIGER_TEST_CLOCK: clock() });

  beforeAll(async () => {
    installation = await Installation.create();
    await writeFile(clock(), "0");
    await ask({});
    operator = await installation.start("operator", environment());
    await eventually("the deletion is accepted", async () => stored()?.status?.deletion !== undefined);
    keyId = stored()?.status?.keyId;
    await periodIsRecorded([installation], keyId ?? "");
  });
  afterAll(() => installation?.[Symbol.asyncDispose]());

  const ask = (more: object) =>
    installation.manifest(
      "old.yaml",
      masterKey("old", { deletion: { pendingWindowInDays: 7, withoutCensus: true, ...more } }),
    );
  function object<T>(kind: string, namespace: string, name: string): T | undefined {
    const reader = KeyringReader.open(installation.keyringPath);
    try {
      const json = reader.object(kind, { namespace, name });
      return json === undefined ? undefined : (JSON.parse(json) as T);
    } finally {
      reader.close();
    }
  }
  const stored = () => object<MasterKey>("MasterKey", NAMESPACE, "old");
  const blocked = () => conditionOf(stored()?.status?.conditions, "DeletionBlocked");
  const version = () => object<KeyVersion>("KeyVersion", "", `${keyId}-1`);

  it("the clock is set 40 days forward while the operator runs => nothing is destroyed, and it is said", async () => {
    await writeFile(clock(), `wall ${FORTY_DAYS}\n`);
    await operator.line(/this node's clock was set forward by 40 days while its operator ran/);
    await eventually("the condition says so", async () => blocked()?.reason === "ClocksDisagree");
  });

  it("the operator starts again with that clock => it has not seen the time pass", async () => {
    await operator.process.stop();
    operator = await installation.start("operator", environment());
    await eventually("the condition says so", async () => blocked()?.reason === "TimeNotSeen");
    expect(version()?.spec.seal).toBeDefined();
  });

  it("the date is confirmed in the manifest => destroyed", async () => {
    await ask({ confirmedDueAt: stored()?.status?.deletion?.deletionDate });
    await eventually("it is destroyed", async () => version()?.status?.erasedAt !== undefined);
  });
});
