import { expect, test } from "vitest";
import { workerOptions } from "./api-workers.ts";

test("a worker has the options of its parent, but not the plugin's limit of the young generation", () => {
  expect(workerOptions(["--max-semi-space-size=1", "--enable-source-maps"])).toEqual([
    "--enable-source-maps",
  ]);
});
