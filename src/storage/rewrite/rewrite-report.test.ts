import { describe, expect, test } from "vitest";
import { ClavigerError } from "../../errors.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { failureOf, MAX_NAMED_FAILURES, RewriteTally } from "./rewrite-report.ts";

const refused = (httpStatus: number, reason: string, message: string, fields: string[] = []) =>
  new KubeError(httpStatus, `PATCH /x: ${message}`, {
    reason,
    message,
    causes: fields.map((field) => ({ field })),
  });

describe("why an object was not rewritten", () => {
  test.each([
    [
      "a webhook",
      refused(403, "Forbidden", "admission webhook denied the request"),
      "Forbidden",
      "admission webhook denied the request",
    ],
    [
      "a policy",
      refused(422, "Invalid", "denied request: not this one"),
      "Invalid",
      "denied request: not this one",
    ],
    [
      "a value that is not valid any more => its field, and never the value",
      refused(422, "Invalid", 'Widget "w" is invalid: spec.pin: Invalid value: "1234": must be longer', [
        "spec.pin",
      ]),
      "Invalid",
      "what is stored is not valid now: spec.pin",
    ],
    ["a proxy", new KubeError(418, "PATCH /x: HTTP 418"), "HTTP 418", "PATCH /x: HTTP 418"],
    ["no answer", new ClavigerError("ApiServer", "PATCH /x: reset"), "Unreachable", "PATCH /x: reset"],
  ] as const)("%s", (_, error, reason, message) => {
    const expected = { resource: "secrets", namespace: "n", name: "o", reason, message };
    expect(failureOf("secrets", { namespace: "n", name: "o" }, error)).toEqual(expected);
  });
  test("a long message => is cut", () => {
    const { message } = failureOf("secrets", {}, refused(403, "Forbidden", "x".repeat(5_000)));
    expect(message.length).toBe(300);
  });
});

test("many failures => the first are named, all are counted", () => {
  const tally = new RewriteTally();
  const failure = failureOf("secrets", {}, refused(403, "Forbidden", "no"));
  for (let index = 0; index < 10_000; index += 1) tally.fail(failure);
  tally.add("rewritten");
  const report = tally.report();
  expect(report).toMatchObject({ failed: 10_000, rewritten: 1 });
  expect(report.failures).toHaveLength(MAX_NAMED_FAILURES);
  expect(tally.done).toBe(10_001);
});
