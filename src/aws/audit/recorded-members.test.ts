import { describe, expect, test } from "vitest";
import { operationModel, operationNames, shapeOf } from "../model/service-model.ts";
import type { Member } from "../model/shape.ts";
import { answerElements, requestElements } from "./recorded-elements.ts";
import { isChange, NEVER_RECORDED, recordedMembers } from "./recorded-members.ts";

const namesOf = (members: readonly Member[]) => members.map(({ name }) => name);
const isDecided = (recorded: readonly string[], name: string) =>
  recorded.includes(name) !== NEVER_RECORDED.has(name);

describe.each(operationNames())("%s", (operation) => {
  const model = operationModel(operation);
  const recorded = recordedMembers(operation);

  test("each member of its request is recorded or is a secret, and not both", () => {
    const input = model?.input.members ?? [];
    expect(namesOf(input).filter((name) => !isDecided(recorded?.input ?? [], name))).toEqual([]);
    expect(recorded?.input.filter((name) => !namesOf(input).includes(name))).toEqual([]);
  });

  test("each member of the answer to a change is recorded or is a secret, and not both", () => {
    const output = isChange(operation) ? (model?.output.members ?? []) : [];
    expect(namesOf(output).filter((name) => !isDecided(recorded?.output ?? [], name))).toEqual([]);
    expect(recorded?.output.filter((name) => !namesOf(output).includes(name))).toEqual([]);
  });

  test("canaries are found in the members that are recorded, and nowhere else", () => {
    const input = requestElements(operation, canaries(model?.input.members ?? [], "")) ?? {};
    const output = answerElements(operation, canaries(model?.output.members ?? [], ""), undefined) ?? {};
    const found = JSON.stringify([input, output]).match(/canary[\w.]*/g) ?? [];
    const expected = [
      ...expectedOf(model?.input.members ?? [], recorded?.input ?? []),
      ...expectedOf(model?.output.members ?? [], recorded?.output ?? []),
    ];
    expect(found.sort()).toEqual(expected.sort());
    expect(
      found.filter((canary) => [...NEVER_RECORDED].some((name) => canary.split(".").includes(name))),
    ).toEqual([]);
  });
});

test("no blob and no member that AWS marks as sensitive is recorded", () => {
  const shown = operationNames().flatMap((operation) =>
    (operationModel(operation)?.input.members ?? []).filter(({ name }) =>
      recordedMembers(operation)?.input.includes(name),
    ),
  );
  expect(shown.length).toBeGreaterThan(100);
  expect(shown.filter(({ shape }) => shapeOf(shape).kind === "blob")).toEqual([]);
  expect(shown.filter(({ shape }) => /Password|Credential|Token|Plaintext|Secret/.test(shape))).toEqual([]);
});

test("the algorithm of Encrypt, Decrypt and ReEncrypt is recorded if the request does not name it", () => {
  expect(requestElements("Decrypt", {})).toEqual({ encryptionAlgorithm: "SYMMETRIC_DEFAULT" });
  expect(requestElements("Encrypt", { EncryptionAlgorithm: "RSAES_OAEP_SHA_256" })).toEqual({
    encryptionAlgorithm: "RSAES_OAEP_SHA_256",
  });
  expect(Object.keys(requestElements("ReEncrypt", {}) ?? {})).toEqual([
    "sourceEncryptionAlgorithm",
    "destinationEncryptionAlgorithm",
  ]);
});

test("a change that AWS KMS answers with nothing names the ARN of its key", () => {
  expect(answerElements("DisableKey", {}, "arn")).toEqual({ keyId: "arn" });
  expect(answerElements("Encrypt", {}, "arn")).toBeUndefined();
});

test("an operation that AWS does not have, or that is named like a member of objects, is no change and shows nothing", () => {
  expect([isChange("constructor"), recordedMembers("__proto__")]).toEqual([false, undefined]);
});

/** Returns members with a text each that names its path; lists have one entry. */
function canaries(members: readonly Member[], path: string): Record<string, unknown> {
  return Object.fromEntries(
    members.map(({ name, shape }) => [name, canaryOf(shape, `${path}.${name}`)] as const),
  );
}

function canaryOf(name: string, path: string): unknown {
  const shape = shapeOf(name);
  if (shape.kind === "list") return [canaryOf(shape.member, path)];
  if (shape.kind === "structure") return canaries(shape.members, path);
  if (shape.kind === "map") return { [`canary${path}`]: `canary${path}` };
  if (shape.kind === "blob") return Buffer.from(`canary${path}`);
  // A text in place of numbers and times too: they are passed on as they are.
  return `canary${path}`;
}

function expectedOf(members: readonly Member[], recorded: readonly string[]): string[] {
  const shown = members.filter(({ name }) => recorded.includes(name));
  return JSON.stringify(canaries(shown, "")).match(/canary[\w.]*/g) ?? [];
}
