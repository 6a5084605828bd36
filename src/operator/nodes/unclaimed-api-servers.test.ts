import { expect, test } from "vitest";
import { keyServer, NOW } from "../../testing/objects.ts";
import { unclaimedApiServers } from "./unclaimed-api-servers.ts";

const node = (name: string, id?: string) => keyServer(name, id === undefined ? {} : { apiServer: { id } });
const now = NOW.getTime();

test.each([
  ["every API server has its node => none", ["x", "y"], [node("a", "x"), node("b", "y")], []],
  [
    "an API server that no node speaks for => that one",
    ["x", "y", "z"],
    [node("a", "x"), node("b", "y")],
    ["z"],
  ],
  ["nodes that tell no identity, as of an earlier release => none", ["x", "y"], [node("a")], []],
  [
    "one of the nodes tells none, whose API server it may be => none",
    ["x", "y"],
    [node("a", "x"), node("b")],
    [],
  ],
  [
    "nodes behind a load balancer tell one identity => none",
    ["x", "y"],
    [node("a", "x"), node("b", "x")],
    [],
  ],
  [
    "and there are more API servers than nodes => those that nobody tells of",
    ["x", "y", "z"],
    [node("a", "x"), node("b", "x")],
    ["y", "z"],
  ],
])("%s", (_, living, servers, expected) => {
  const heardOf = new Map(living.map((id) => [id, now]));
  expect(unclaimedApiServers(heardOf, servers, NOW)).toEqual(expected);
});

test("one that has not renewed its Lease for a minute => does not live", () => {
  const heardOf = new Map([
    ["x", now],
    ["z", now - 60_000],
  ]);
  expect(unclaimedApiServers(heardOf, [node("a", "x")], NOW)).toEqual([]);
});
