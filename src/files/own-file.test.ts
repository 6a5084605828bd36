import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { readConfig } from "../config/config.ts";
import { readOwnFile } from "./own-file.ts";
import { readRegularFile } from "./regular-file.ts";

const isRoot = process.getuid?.() === 0;
const LIMIT = { maxBytes: 100 };

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-own-"));
  path = join(folder, "file");
  const made = folder;
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
});

describe("a file that a path of the configuration names is read whole if it is regular", () => {
  test("also behind links, as in a Kubernetes volume", () => {
    mkdirSync(join(folder, "..1"));
    writeFileSync(join(folder, "..1", "file"), "text");
    symlinkSync("..1", join(folder, "..data"));
    symlinkSync("..data/file", path);
    expect(String(readRegularFile(path, LIMIT))).toBe("text");
  });
  test("also one of /proc, which has no size", () => {
    expect(readRegularFile("/proc/self/stat", { maxBytes: 10_000 }).length).toBeGreaterThan(0);
  });
  test("up to its limit, and not a byte more", () => {
    writeFileSync(path, "x".repeat(100));
    expect(readRegularFile(path, LIMIT)).toHaveLength(100);
    writeFileSync(path, "x".repeat(101));
    expect(() => readRegularFile(path, LIMIT)).toThrow("it has more than 100 bytes");
  });
});

describe("what is no regular file is refused at once, and nothing waits for it:", () => {
  test.each<readonly [string, () => void, RegExp]>([
    ["a pipe", () => execFileSync("mkfifo", [path]), /it is a pipe and not a regular file/],
    ["a link to a pipe", () => linkTo(() => execFileSync("mkfifo", [join(folder, "p")])), /it is a pipe/],
    ["a folder", () => mkdirSync(path), /it is a folder and not a regular file/],
    ["a device without end", () => symlinkSync("/dev/zero", path), /it is a device and not a regular file/],
    ["a terminal", () => symlinkSync("/dev/tty", path), /it is a device and not a regular file/],
    ["a loop of links", () => symlinkSync("file", path), /ELOOP/],
    ["nothing", () => undefined, /ENOENT/],
  ])("%s", (_, make, says) => {
    make();
    expect(() => readRegularFile(path, LIMIT)).toThrow(says);
  });
  test("a socket", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    expect(() => readRegularFile(path, LIMIT)).toThrow("it is a socket and not a regular file");
  });
  const linkTo = (make: () => void): void => {
    make();
    symlinkSync("p", path);
  };
});

test("a pipe that somebody named on the command line is read to its end, and not further than the limit", () => {
  execFileSync("mkfifo", [path]);
  const read = (bytes: number) => {
    const script = `import { readRegularFile } from ${JSON.stringify(join(import.meta.dirname, "regular-file.ts"))};
      console.log(readRegularFile(${JSON.stringify(path)}, { maxBytes: 100, pipes: true }).length);`;
    const shell = `head -c ${bytes} /dev/zero > ${path} & exec ${process.execPath} --input-type=module --eval '${script}'`;
    return execFileSync("sh", ["-c", shell], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  };
  expect(read(32)).toBe("32");
  expect(() => read(101)).toThrow("it has more than 100 bytes");
});

describe.runIf(isRoot)("a file that says which programs and keys are used is refused if", () => {
  beforeEach(() => writeFileSync(path, "text", { mode: 0o644 }));
  test.each<readonly [string, () => void, RegExp]>([
    [
      "it belongs to another user",
      () => chownSync(path, 1000, 1000),
      /it belongs to user 1000 .*run: chown 0 /,
    ],
    ["its group may write it", () => chmodSync(path, 0o664), /it has mode 0664, .*run: chmod go-w /],
    ["all may write it", () => chmodSync(path, 0o646), /it has mode 0646, .*run: chmod go-w /],
    ["its folder belongs to another user", () => chownSync(folder, 1000, 1000), /belongs to user 1000/],
    ["all may write its folder", () => chmodSync(folder, 0o777), /has mode 0777, .*run: chmod go-w /],
  ])("%s", (_, spoil, says) => {
    expect(readOwnFile(path, 100)).toBe("text");
    spoil();
    expect(() => readOwnFile(path, 100)).toThrow(says);
  });
  test("but others may read it", () => {
    chmodSync(folder, 0o755);
    chmodSync(path, 0o644);
    expect(readOwnFile(path, 100)).toBe("text");
  });
});

test("a secret that was named as the configuration by mistake => no message has a word of it", () => {
  for (const secret of [
    "-----BEGIN PRIVATE KEY-----\nCANARYCANARY\n-----END PRIVATE KEY-----\n",
    "CANARYCANARY",
    "%CANARY\n\tCANARY: [*CANARY, !CANARY {",
    "a: *CANARY\n",
    "CANARY: 1\nCANARY: 2\n",
    "- CANARY\n",
    '{"a": CANARY',
  ]) {
    writeFileSync(path, secret);
    expect(() => readConfig(path)).toThrow(
      expect.objectContaining({ code: "ConfigInvalid", message: expect.not.stringContaining("CANARY") }),
    );
  }
  expect(readFileSync(path, "utf8")).toContain("CANARY");
});
