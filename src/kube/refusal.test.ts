import { expect, test } from "vitest";
import { refusalOf } from "./refusal.ts";

const status = (fields: object): string => JSON.stringify({ kind: "Status", status: "Failure", ...fields });

test.each([
  [
    "a Status",
    status({ message: "no", reason: "Forbidden" }),
    undefined,
    { message: "no", reason: "Forbidden" },
  ],
  ["a proxy's page", "<html>no</html>", undefined, {}],
  ["nothing", "", undefined, {}],
  ["JSON that is no object", "[]", undefined, {}],
  ["a Retry-After header", "", "7", { retryAfterSeconds: 7 }],
  ["a Retry-After date", "", "Wed, 21 Oct 2026 07:28:00 GMT", {}],
  [
    "a wait in the details",
    status({ details: { retryAfterSeconds: 3 } }),
    undefined,
    { retryAfterSeconds: 3 },
  ],
  ["both waits", status({ details: { retryAfterSeconds: 3 } }), "1", { retryAfterSeconds: 1 }],
  ["a forgotten place", status({ metadata: { continue: "abc" } }), undefined, { continue: "abc" }],
  ["an empty place", status({ metadata: { continue: "" } }), undefined, {}],
] as const)("%s => is read", (_, body, retryAfter, expected) => {
  expect(refusalOf(body, retryAfter)).toEqual({ causes: [], ...expected });
});

test("a connection of the server's own => without its port, which differs each time", () => {
  const message = (port: number) =>
    `failed calling webhook "w": read tcp 10.0.0.1:${port}->10.0.0.2:443: connection reset by peer`;
  expect(refusalOf(status({ message: message(43210) }), undefined).message).toBe(
    'failed calling webhook "w": read tcp 10.0.0.1->10.0.0.2:443: connection reset by peer',
  );
});

test("causes => their reason and field are kept, and never their message", () => {
  const causes = [
    { reason: "FieldValueInvalid", field: "spec.x", message: 'Invalid value: "secret"' },
    null,
    "x",
  ];
  expect(refusalOf(status({ details: { causes } }), undefined).causes).toEqual([
    { reason: "FieldValueInvalid", field: "spec.x" },
    {},
    {},
  ]);
});
