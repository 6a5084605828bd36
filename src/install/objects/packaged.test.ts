import { expect, test } from "vitest";
import { packagedPods } from "./packaged.ts";

test("the static pods of a node are plugin, operator and API", () => {
  expect([...packagedPods().keys()]).toEqual([
    "claviger-api.yaml",
    "claviger-operator.yaml",
    "claviger-plugin.yaml",
  ]);
});
