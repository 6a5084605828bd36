import { expect, test } from "vitest";
import { condition, EARLIER, keyId, masterKey, NOW, NOW_TEXT } from "../../testing/objects.ts";
import { assembleStatus, type StatusPart } from "./assemble-status.ts";

const finding = (type: string, status: "True" | "False", reason = "Because") =>
  ({ type, status, reason, message: "so" }) as const;
const part = (changes: Partial<StatusPart>): StatusPart => ({ fields: {}, findings: [], ...changes });
const key = masterKey({
  metadata: { generation: 4 },
  status: { keyId: keyId(1), keyState: "Enabled", conditions: [condition("Ready"), condition("Theirs")] },
});

test("fields => only what the parts say: the last that names a field decides, and undefined removes it", () => {
  const first = part({ fields: { keyId: keyId(2), keyState: "Enabled", arn: "arn:1" } });
  const later = part({ fields: { keyState: "Destroyed", arn: undefined } });
  const { conditions: _, ...fields } = assembleStatus(key, [first, later], NOW);
  expect(fields).toEqual({ keyId: keyId(2), keyState: "Destroyed" });
  expect(fields).not.toHaveProperty("arn");
});

test("two parts state a condition => the later one does, and the earlier one does not move its time", () => {
  const first = part({ findings: [finding("Ready", "False", "Waiting")] });
  const later = part({ findings: [finding("Ready", "True", "Done")] });
  const { conditions } = assembleStatus(key, [first, later], NOW);
  expect(conditions?.filter(({ type }) => type === "Ready")).toEqual([
    { ...finding("Ready", "True", "Done"), observedGeneration: 4, lastTransitionTime: EARLIER },
  ]);
});

test("a condition changes its status, or is new => it has been so since now", () => {
  const findings = [finding("Ready", "False"), finding("New", "True")];
  const { conditions } = assembleStatus(key, [part({ findings })], NOW);
  const times = conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]);
  expect(times).toEqual([
    ["New", NOW_TEXT],
    ["Ready", NOW_TEXT],
    ["Theirs", EARLIER],
  ]);
});

test("no part states a condition => it stays as it is, unless a part says that it ends", () => {
  expect(assembleStatus(key, [part({})], NOW).conditions).toEqual([condition("Ready"), condition("Theirs")]);
  expect(assembleStatus(key, [part({ ends: ["Ready"] })], NOW).conditions).toEqual([condition("Theirs")]);
});

test("one part ends a condition that another one states => it is stated, with the time that is stored", () => {
  const stating = part({ findings: [finding("Ready", "True")] });
  const ending = part({ ends: ["Ready"] });
  for (const parts of [
    [stating, ending],
    [ending, stating],
  ]) {
    const { conditions } = assembleStatus(key, parts, NOW);
    expect(conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime).toBe(EARLIER);
  }
});

test("assembled again later from the same parts => the same status, so that nothing is written", () => {
  const parts = [part({ fields: { keyId: keyId(1) }, findings: [finding("Ready", "False")] })];
  const status = assembleStatus(key, parts, NOW);
  expect(assembleStatus({ ...key, status }, parts, new Date(NOW.getTime() + 60_000))).toEqual(status);
});
