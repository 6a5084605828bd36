import { expect, test } from "vitest";
import { packagedPods } from "./packaged.ts";

test("the static pods of a node are plugin and operator: the API needs a configuration of its own first", () => {
  expect([...packagedPods().keys()]).toEqual(["claviger-operator.yaml", "claviger-plugin.yaml"]);
});
