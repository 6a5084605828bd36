import { describe, expect, test } from "vitest";
import { AwsError } from "../aws-error.ts";
import { operationModel, operationNames, shapeOf } from "./service-model.ts";
import type { Member, Shape } from "./shape.ts";
import { validate } from "./validate.ts";

const bodyOf = (input: unknown): Buffer => Buffer.from(JSON.stringify(input));

/** Returns the name and the text of the error, or "accepted". */
function told(operation: string, body: Uint8Array): string {
  try {
    validate(operation, body);
  } catch (error) {
    if (error instanceof AwsError) return `${error.type}: ${error.message}`;
    throw error;
  }
  return "accepted";
}

const refusal = (operation: string, input: unknown): string => told(operation, bodyOf(input));
const KEY = { KeyId: "alias/app" };

describe("a valid request", () => {
  test("has its blobs as Buffers, its times as Dates, and no member that AWS does not know", () => {
    const input = {
      ...KEY,
      ImportToken: "dG9rZW4=",
      EncryptedKeyMaterial: "AAEC",
      ValidTo: 1_800_000_000.5,
      Unknown: { deep: [1] },
      ExpirationModel: null,
    };
    expect(validate("ImportKeyMaterial", bodyOf(input))).toEqual({
      ...KEY,
      ImportToken: Buffer.from("token"),
      EncryptedKeyMaterial: Buffer.of(0, 1, 2),
      ValidTo: new Date(1_800_000_000_500),
    });
  });

  test("may be empty if nothing is needed", () => {
    expect(validate("ListKeys", Buffer.alloc(0))).toEqual({});
  });

  test("may have an encryption context whose names are those of JavaScript's prototypes", () => {
    const body =
      '{"KeyId":"a","Plaintext":"AA==","EncryptionContext":{"__proto__":"1","constructor":"2","é":""}}';
    const { EncryptionContext } = validate("Encrypt", Buffer.from(body));
    expect(Object.entries(EncryptionContext ?? {})).toEqual([
      ["__proto__", "1"],
      ["constructor", "2"],
      ["é", ""],
    ]);
  });

  test("of a prototype's name is no operation", () => {
    expect(refusal("constructor", {})).toContain("UnknownOperationException");
  });
});

describe("the texts are AWS's", () => {
  test.each([
    [
      "Encrypt",
      { Plaintext: "AA==" },
      "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null",
    ],
    [
      "Encrypt",
      { ...KEY, Plaintext: Buffer.alloc(4097).toString("base64") },
      "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
    ],
    [
      "Encrypt",
      { ...KEY, Plaintext: "" },
      "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ],
    [
      "Encrypt",
      {},
      "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; Value null at 'plaintext' failed to satisfy constraint: Member must not be null",
    ],
    [
      "GenerateRandom",
      { NumberOfBytes: 1025 },
      "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
    ],
    [
      "GenerateDataKey",
      { ...KEY, KeySpec: "AES_512" },
      "1 validation error detected: Value at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]",
    ],
    [
      "CreateAlias",
      { AliasName: "alias/a b", TargetKeyId: "k" },
      "1 validation error detected: Value at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    ],
    [
      "Decrypt",
      { GrantTokens: Array(11).fill("t") },
      "1 validation error detected: Value at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10",
    ],
    [
      "Decrypt",
      { GrantTokens: ["t", ""] },
      "1 validation error detected: Value at 'grantTokens' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 8192, Member must have length greater than or equal to 1]",
    ],
    [
      "TagResource",
      { ...KEY, Tags: [{ TagKey: "a", TagValue: "" }, { TagKey: "" }] },
      "2 validation errors detected: Value at 'tags.2.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1; Value null at 'tags.2.member.tagValue' failed to satisfy constraint: Member must not be null",
    ],
    [
      "CreateGrant",
      { ...KEY, Operations: ["Decrypt"], Constraints: { SourceArn: "arn" } },
      "2 validation errors detected: Value at 'constraints.sourceArn' failed to satisfy constraint: Member must have length greater than or equal to 20; Value at 'constraints.sourceArn' failed to satisfy constraint: Member must satisfy regular expression pattern: ^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$",
    ],
  ])("%s %#", (operation, input, message) => {
    expect(refusal(operation, input)).toBe(`ValidationException: ${message}`);
  });

  test("a length is counted in code points, as AWS does", () => {
    const tags = (TagKey: string) => ({ ...KEY, Tags: [{ TagKey, TagValue: "" }] });
    expect(refusal("TagResource", tags("🔑".repeat(128)))).toBe("accepted");
    expect(refusal("TagResource", tags("🔑".repeat(129)))).toContain("less than or equal to 128");
  });

  test("many violations are counted, and twenty of them listed", () => {
    const message = refusal("TagResource", { ...KEY, Tags: Array(1000).fill({ TagKey: "", TagValue: "" }) });
    expect(message).toContain("ValidationException: 1000 validation errors detected: ");
    expect(message.split("; ")).toHaveLength(20);
  });
});

describe("stricter than the model's shapes, as AWS documents", () => {
  test.each([
    ["ListKeys", "Limit", 1000, 1001],
    ["ListKeyRotations", "Limit", 1000, 1001],
    ["ListAliases", "Limit", 100, 101],
    ["ListGrants", "Limit", 100, 101],
    ["ListRetirableGrants", "Limit", 100, 101],
    ["ListResourceTags", "Limit", 50, 51],
    ["ScheduleKeyDeletion", "PendingWindowInDays", 30, 31],
    ["ScheduleKeyDeletion", "PendingWindowInDays", 7, 6],
  ])("%s %s: %d is accepted, %d is not", (operation, member, right, wrong) => {
    expect(refusal(operation, { ...KEY, [member]: right })).toBe("accepted");
    expect(refusal(operation, { ...KEY, [member]: wrong })).toContain(
      `ValidationException: 1 validation error detected: Value '${wrong}' at`,
    );
  });
});

describe("a value of another type => SerializationException", () => {
  test.each([
    ["Encrypt", { KeyId: 1 }, "NUMBER_VALUE cannot be converted to String"],
    ["Encrypt", { KeyId: ["a"] }, "Start of list found where not expected"],
    ["Encrypt", { KeyId: {} }, "Start of structure or map found where not expected."],
    ["Encrypt", { Plaintext: "not base64!" }, "A blob of the request is not base64."],
    ["Encrypt", { Plaintext: "AA-_" }, "A blob of the request is not base64."],
    ["Encrypt", { Plaintext: "A===" }, "A blob of the request is not base64."],
    ["Encrypt", { Plaintext: "AA==AA==" }, "A blob of the request is not base64."],
    ["Encrypt", { Plaintext: "AAAAA\n==" }, "A blob of the request is not base64."],
    ["Encrypt", { Plaintext: "AA" }, "A blob of the request is not base64."],
    ["Encrypt", { EncryptionContext: "a=b" }, "STRING_VALUE cannot be converted to Map"],
    ["Encrypt", { EncryptionContext: { a: null } }, "NULL_VALUE cannot be converted to String"],
    ["Encrypt", { DryRun: "true" }, "STRING_VALUE cannot be converted to Boolean"],
    ["Encrypt", { GrantTokens: true }, "TRUE_VALUE cannot be converted to List"],
    ["Encrypt", { KeyId: "\ud800" }, "The body of the request has text that is not valid Unicode."],
    ["ListKeys", { Limit: 1.5 }, "DECIMAL_VALUE cannot be converted to Integer"],
    ["ListKeys", { Limit: 1e300 }, "NUMBER_VALUE is out of the range of Integer"],
    ["ListKeys", { Limit: "1" }, "STRING_VALUE cannot be converted to Integer"],
    ["ImportKeyMaterial", { ValidTo: 1e300 }, "NUMBER_VALUE is out of the range of Timestamp"],
    ["ImportKeyMaterial", { ValidTo: "2026-11-30" }, "STRING_VALUE cannot be converted to Timestamp"],
    ["ListKeys", [], "The body of the request is not a JSON object."],
    ["ListKeys", null, "The body of the request is not a JSON object."],
  ])("%s %j", (operation, input, message) => {
    expect(refusal(operation, input)).toBe(`SerializationException: ${message}`);
  });

  test.each([
    ["{", "The body of the request is not JSON."],
    ["\ufeff{}", "The body of the request is not JSON."],
    [Buffer.of(0x7b, 0xff, 0x7d), "The body of the request is not UTF-8."],
    ["[".repeat(250_000), "The body of the request is not JSON."],
    [`${'{"a":'.repeat(40_000)}1${"}".repeat(40_000)}`, undefined],
  ])("body %#", (body, message) => {
    const expected = message === undefined ? "accepted" : `SerializationException: ${message}`;
    expect(told("ListKeys", Buffer.from(body))).toBe(expected);
  });
});

describe("every operation and member of AWS's model", () => {
  const members = operationNames().flatMap((operation) =>
    (operationModel(operation)?.input.members ?? []).map((member) => ({ operation, member })),
  );

  test("56 operations are known", () => {
    expect(operationNames()).toHaveLength(56);
  });

  test("a request with all members, each as small as it may be, is accepted", () => {
    const refused = operationNames().filter(
      (operation) => refusal(operation, smallest(operation)) !== "accepted",
    );
    expect(refused).toEqual([]);
  });

  test("a needed member that is missing => ValidationException that names it", () => {
    const needed = members.filter(({ member }) => member.required);
    expect(needed.length).toBeGreaterThan(70);
    for (const { operation, member } of needed) {
      const { [member.name]: _, ...rest } = smallest(operation);
      expect(refusal(operation, rest)).toBe(
        `ValidationException: 1 validation error detected: Value null at '${lowerFirst(member.name)}' failed to satisfy constraint: Member must not be null`,
      );
    }
  });

  test("a malformed member => SerializationException", () => {
    for (const { operation, member } of members) {
      const wrong = shapeOf(member.shape).kind === "list" ? { a: 1 } : [1];
      const message = refusal(operation, { ...smallest(operation), [member.name]: wrong });
      expect(message).toMatch(/^SerializationException: Start of (list|structure or map) found/);
    }
  });

  test("a member that is too long, too large or not in its set => ValidationException that names it", () => {
    const limited = members.flatMap(({ operation, member }) => {
      const value = beyond(shapeOf(member.shape));
      return value === undefined ? [] : [{ operation, member, value }];
    });
    expect(limited.length).toBeGreaterThan(150);
    for (const { operation, member, value } of limited) {
      const message = refusal(operation, { ...smallest(operation), [member.name]: value });
      expect(message).toContain("ValidationException: ");
      expect(message).toContain(` at '${lowerFirst(member.name)}' failed to satisfy constraint: `);
      expect(message).not.toContain("canary");
    }
  });
});

describe("the patterns of AWS's model", () => {
  const patterns = new Map<string, Shape & { kind: "string" }>();
  for (const name of stringShapes()) {
    const shape = shapeOf(name);
    if (shape.kind === "string" && shape.pattern) patterns.set(shape.pattern.text, shape);
  }

  // Each was read: no two of its repetitions can match the same text in different ways, so their time grows with
  // the length alone. Read a new pattern before you enter it here.
  test("are the ones that were read", () => {
    expect([...patterns.keys()].sort()).toMatchInlineSnapshot(`
      [
        "[0-9]{12}",
        "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+",
        "[\\u0020-\\u00FF]*",
        "[\\w]+",
        "^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$",
        "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$",
        "^([a-z]+-){2,3}\\d+$",
        "^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$",
        "^[A-Z2-7]+$",
        "^[\\w+=,.@:/-]+$",
        "^[a-f0-9]+$",
        "^[a-zA-Z0-9-_.]+$",
        "^[a-zA-Z0-9:/_-]+$",
        "^[a-zA-Z0-9:/_\\s.-]+$",
        "^[a-zA-Z0-9\\/+=]+$",
        "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$",
        "^https://[a-zA-Z0-9.-]+$",
        "cluster-[2-7a-zA-Z]{11,16}",
      ]
    `);
  });

  test("take little time for the longest texts that almost match", () => {
    for (const { pattern, max = 0 } of patterns.values()) {
      for (const part of ["a", "a-", "a.", "/a", "aws:", "0", "com.amazonaws.vpce.", "-", " "]) {
        const text = `${part.repeat(Math.ceil((2 * max) / part.length)).slice(0, 2 * max - 1)}\n`;
        const start = performance.now();
        pattern?.expression.test(text);
        expect(performance.now() - start).toBeLessThan(1000);
      }
    }
  });
});

const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** Returns a valid input with all members of the operation. */
function smallest(operation: string): Record<string, unknown> {
  const input = structure(operationModel(operation)?.input.members ?? []);
  return operation === "ScheduleKeyDeletion" ? { ...input, PendingWindowInDays: 7 } : input;
}

const structure = (members: readonly Member[]): Record<string, unknown> =>
  Object.fromEntries(members.map(({ name, shape }) => [name, valid(shape)]));

/** Texts that the patterns of some shapes ask for. */
const VALID: Readonly<Record<string, string>> = {
  AccountIdType: "000000000000",
  CloudHsmClusterIdType: "cluster-aaaaaaaaaaa",
  GrantConstraintSourceArnType: "arn:aws:s3::000000000000:b",
  RegionType: "us-local-1",
  ServicePrincipalType: "a.b.c",
  XksProxyUriEndpointType: "https://a.b",
  XksProxyUriPathType: "/kms/xks/v1",
  XksProxyVpcEndpointServiceNameType: "com.amazonaws.vpce.us-local-1.vpce-svc-0",
};

function valid(name: string): unknown {
  const shape = shapeOf(name);
  switch (shape.kind) {
    case "string":
      return (
        VALID[name] ??
        [...(shape.values ?? [])][0] ??
        "A".repeat(Math.max(shape.min ?? 0, 1)).replace(/^A{64}$/, "a".repeat(64))
      );
    case "blob":
      return Buffer.alloc(shape.min ?? 1).toString("base64");
    case "integer":
      return shape.min ?? 1;
    case "list":
      return [valid(shape.member)];
    case "map":
      return { a: "b" };
    case "structure":
      return structure(shape.members);
    case "boolean":
      return true;
    case "timestamp":
      return 0;
  }
}

/** Returns a value beyond the limits of a shape, or undefined if it has none. */
function beyond(shape: Shape): unknown {
  if (shape.kind === "string" && shape.values !== undefined) return "canary";
  if (!("max" in shape) || shape.max === undefined) return undefined;
  const size = shape.max + 1;
  if (shape.kind === "string") return "canary".repeat(size).slice(0, size);
  if (shape.kind === "blob") return Buffer.alloc(size).toString("base64");
  return shape.kind === "list" ? Array(size).fill(valid(shape.member)) : size;
}

function stringShapes(): ReadonlySet<string> {
  const seen = new Set<string>();
  const waiting = operationNames()
    .flatMap((name) => operationModel(name)?.input.members ?? [])
    .map(({ shape }) => shape);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const shape = shapeOf(name);
    if (shape.kind === "list") waiting.push(shape.member);
    if (shape.kind === "structure") waiting.push(...shape.members.map((member) => member.shape));
  }
  return seen;
}
