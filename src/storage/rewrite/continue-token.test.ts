import { expect, test } from "vitest";
import { atLatest, tokenAfter } from "./continue-token.ts";

/** A token from a kube-apiserver 1.37.2: 5 Secrets at revision 233, the last of them default/s-04. */
const served = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjMzLCJzdGFydCI6ImRlZmF1bHQvcy0wNFx1MDAwMCJ9";
const read = (token: string | undefined): unknown =>
  JSON.parse(Buffer.from(token ?? "", "base64url").toString("utf8"));

test("a token of the API server => the same place at the latest revision", () => {
  expect(read(served)).toEqual({ v: "meta.k8s.io/v1", rv: 233, start: "default/s-04\0" });
  expect(atLatest(served)).toBe(tokenAfter({ namespace: "default", name: "s-04" }));
});

test("an object without a namespace => its name alone is the key", () => {
  expect(read(tokenAfter({ name: "node-1" }))).toEqual({ v: "meta.k8s.io/v1", rv: -1, start: "node-1\0" });
});

test.each(["", "!", "e30", Buffer.from('{"v":"v2","start":"a"}').toString("base64url")])(
  "%j => no token of ours",
  (token) => expect(atLatest(token)).toBeUndefined(),
);
