import { expect, it } from "vitest";
import { leafHash } from "../tree/hashes.ts";
import { checkpointOf, checkpointText, originOf, parseCheckpoint, signCheckpoint } from "./checkpoint.ts";
import { noteSigner } from "./signed-note.ts";

const origin = originOf("prod", "node-1");
const checkpoint = { origin, size: 7, root: leafHash(Buffer.from("line")) };

it("is read as it was signed", () => {
  expect(origin).toBe("kms.claviger.dev/audit/prod/node-1");
  expect(checkpointOf(signCheckpoint(checkpoint, noteSigner(origin, Buffer.alloc(32))))).toEqual(checkpoint);
  expect(parseCheckpoint(`${checkpointText(checkpoint)}an extension\n`)).toEqual(checkpoint);
});

it.each([
  ["a size with a leading zero", checkpointText(checkpoint).replace("7", "07")],
  ["a negative size", checkpointText(checkpoint).replace("7", "-7")],
  ["a size that is no number of lines", checkpointText(checkpoint).replace("7", "9999999999999999")],
  ["a short root", `${origin}\n7\nAAAA\n`],
  ["no origin", checkpointText({ ...checkpoint, origin: "" })],
  ["nothing", ""],
])("with %s it is none", (_, text) => {
  expect(parseCheckpoint(text)).toBeUndefined();
});
