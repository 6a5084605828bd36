import { describe, expect, it } from "vitest";
import { ClavigerError, InvalidCiphertext } from "../../errors.ts";
import { awsErrorOf } from "./claviger-error.ts";

describe("an error of claviger", () => {
  it.each([
    [new InvalidCiphertext("TagMismatch"), "InvalidCiphertextException", 400],
    [new ClavigerError("InvalidArgument", "the encryption context is long"), "ValidationException", 400],
    [new ClavigerError("SealUnavailable", "root key /etc/x is missing"), "KeyUnavailableException", 500],
    [new ClavigerError("KeyringUnavailable", "no keyring"), "DependencyTimeoutException", 500],
    [new TypeError("secret text"), "KMSInternalException", 500],
  ])("%s => %s", (error, type, status) => {
    const answer = awsErrorOf(error, "request-1");
    expect(answer).toMatchObject({ type, status });
    if (status === 500) {
      expect(answer.message).toContain("request-1");
      expect(answer.message).not.toContain(error.message);
    }
  });
});
