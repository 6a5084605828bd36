import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const parse = (audit: string) =>
  parseConfig(
    `
apiVersion: config.claviger.dev/v1alpha1
kind: NodeConfig
nodeName: cp-1
stateDir: ./state
seal: { file: { path: ./root.key } }
providers: []
manifests: ./keys
${audit}
`,
    "/etc/claviger/claviger.yaml",
  ).audit;

test("without a section nothing is recorded", () => {
  expect(parse("")).toBeUndefined();
});

test("a path is enough", () => {
  expect(parse("audit: { path: audit.jsonl }")).toEqual({
    path: "/etc/claviger/audit.jsonl",
    cluster: "local",
    unavailable: "refuse",
    segmentBytes: 64 * 1024 * 1024,
  });
});

test("everything there is => is taken", () => {
  const text = "{ path: /log/a.jsonl, cluster: prod-1, unavailable: continue, segmentMebibytes: 1 }";
  expect(parse(`audit: ${text}`)).toEqual({
    path: "/log/a.jsonl",
    cluster: "prod-1",
    unavailable: "continue",
    segmentBytes: 1024 * 1024,
  });
});

test.each([
  ["{}", "audit.path is missing"],
  ["{ path: /log/audit.txt }", "audit.path"],
  ["{ path: a.jsonl, cluster: 'a b' }", "audit.cluster"],
  ["{ path: a.jsonl, unavailable: drop }", "audit.unavailable must be refuse or continue"],
  ["{ path: a.jsonl, segmentMebibytes: 0 }", "audit.segmentMebibytes must be a whole number from 1 to 1024"],
  ["{ path: a.jsonl, sink: http }", "sink"],
])("%s => ConfigInvalid", (audit, message) => {
  expect(() => parse(`audit: ${audit}`)).toThrow(message);
});
