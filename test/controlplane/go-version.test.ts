import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { requireGo, tooOldGo } from "./go-version.ts";

const GOMOD = "module x\n\ngo 1.26.0\n\ngodebug default=go1.26\n";

test.each([
  ["go version go1.26.0 linux/amd64", undefined],
  ["go version go1.27.3 linux/arm64", undefined],
  ["go version go2.0 linux/amd64", undefined],
  ["go version devel +0123abc", undefined],
  ["go version go1.25.9 linux/amd64", "is 1.25: put a newer one first in PATH"],
  ["go version go1.19.8 linux/amd64", "is 1.19: put a newer one first in PATH"],
])("%s for a module of Go 1.26 => %s", (answer, problem) => {
  const found = tooOldGo("/usr/bin/go", GOMOD, answer);
  if (problem === undefined) expect(found).toBeUndefined();
  else expect(found).toBe(`Go 1.26 or newer is needed, and /usr/bin/go ${problem}`);
});

test("a Go that is too old => one line with its path and version, before anything is built", async () => {
  const folder = await mkdtemp(join(tmpdir(), "clv-go-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const go = join(folder, "go");
  await writeFile(go, "#!/bin/sh\necho go version go1.19.8 linux/amd64\n");
  await chmod(go, 0o755);
  await expect(requireGo(go, import.meta.dirname)).rejects.toThrow(
    /^Go 1\.\d+ or newer is needed, and \S+\/go is 1\.19: put a newer one first in PATH$/,
  );
});
