import { expect, it } from "vitest";
import { ClavigerError } from "../../errors.ts";
import { socketCall } from "./answered-call.ts";

const provider = { name: "secrets", versionOf: () => undefined };
const answered = { provider, operation: "Encrypt", error: undefined, at: 1 } as const;

it("Status => no record", () => {
  expect(socketCall({ ...answered, operation: "Status", request: {} })).toBeUndefined();
});

it("a call => its uid and no payload", () => {
  const request = { plaintext: Buffer.from("canary"), uid: "u-1" };
  expect(socketCall({ ...answered, request })).toEqual({
    ...{ provider: "secrets", operation: "Encrypt", uid: "u-1", at: 1, version: undefined, error: undefined },
  });
});

it("a uid that no API server sends => its length only", () => {
  expect(socketCall({ ...answered, request: { uid: "x".repeat(65) } })?.uid).toBe("65 characters");
});

it("a refused call => its code, and a text that the caller may see; a defect's text is not shown", () => {
  const disabled = new ClavigerError("KeyDisabled", "the key is disabled");
  const errorOf = (error: unknown) => socketCall({ ...answered, request: {}, error })?.error;
  expect(errorOf(disabled)).toEqual({ code: "KeyDisabled", message: "the key is disabled" });
  expect(errorOf(new Error("canary"))).toEqual({
    code: "Internal",
    message: "internal error; see claviger's log",
  });
});
