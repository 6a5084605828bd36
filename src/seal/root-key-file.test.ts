import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { ClavigerError } from "../errors.ts";
import { createRootKey, readRootKey } from "./root-key-file.ts";

const BYTES = Buffer.from("canary: these bytes must stay in", "ascii");

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claviger-test-"));
  path = join(folder, "root.key");
  const made = folder;
  onTestFinished(() => rmSync(made, { recursive: true }));
});

/** Writes a root key file. Uses `chmod`, because a umask changes the mode of a new file. */
function write(bytes: Uint8Array, mode = 0o600): void {
  writeFileSync(path, bytes);
  chmodSync(path, mode);
}

const modes = (...list: number[]) => list.map((mode) => ({ octal: mode.toString(8), mode }));

describe("readRootKey gives the 32 bytes of a file", () => {
  it.each(modes(0o600, 0o400, 0o700))("of mode $octal, in a folder of mode 700", ({ mode }) => {
    write(BYTES, mode);
    expect(Buffer.from(readRootKey(path).exposeSecretBytes())).toEqual(BYTES);
  });

  it.each(modes(0o755, 0o711, 0o750))(
    "in a folder that others may enter but not change: mode $octal",
    ({ mode }) => {
      write(BYTES);
      chmodSync(folder, mode);
      expect(readRootKey(path).size).toBe(32);
    },
  );

  it("behind a symbolic link", () => {
    write(BYTES);
    const link = join(folder, "link");
    symlinkSync(path, link);
    expect(readRootKey(link).size).toBe(32);
  });
});

describe("readRootKey refuses with SealUnavailable, naming the file and what to do", () => {
  it("a missing file", () => {
    expect(refusal()).toMatch(/^root key .*root\.key does not exist; restore it from your backup/);
  });

  it("a missing file where nothing was ever sealed: no word of a backup to restore", () => {
    expect(() => readRootKey(path, false)).toThrow(
      `root key ${path} does not exist, and this node has no version yet; if this is the first node of a new installation, make one (docs/install/by-hand.md, step 1), else copy it from another node or from its backup`,
    );
  });

  it("a file of base64 where nothing was ever sealed: it must hold the raw bytes", () => {
    write(Buffer.from(Buffer.alloc(32, 1).toString("base64")));
    expect(() => readRootKey(path, false)).toThrow(
      `root key ${path} has 44 bytes instead of 32; it must hold the raw bytes (docs/install/by-hand.md, step 1)`,
    );
  });

  it("a file in a missing folder", () => {
    path = join(folder, "missing", "root.key");
    expect(refusal()).toContain("does not exist; restore it from your backup");
  });

  it.each([0, 31, 33, 64])("a file of %i bytes", (size) => {
    write(Buffer.alloc(size, 1));
    expect(refusal()).toBe(`root key ${path} has ${size} bytes instead of 32; restore it from your backup`);
  });

  it.each(modes(0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o601, 0o666, 0o777))(
    "a file of mode $octal",
    ({ mode }) => {
      write(BYTES, mode);
      expect(refusal()).toBe(
        `root key ${path} has mode 0${mode.toString(8)} and can be opened by others; run: chmod 600 ${path}`,
      );
    },
  );

  it.each(modes(0o770, 0o720, 0o702, 0o777, 0o1777))("a file in a folder of mode $octal", ({ mode }) => {
    write(BYTES);
    chmodSync(folder, mode);
    expect(refusal()).toBe(
      `root key ${path} lies in a folder of mode 0${mode.toString(8)}; run: chmod 700 ${folder}`,
    );
  });

  it("a folder in its place", () => {
    mkdirSync(path, { mode: 0o700 });
    expect(refusal()).toContain("is not a regular file");
  });

  it("a pipe in its place, without waiting for somebody to write into it", () => {
    execFileSync("mkfifo", ["-m", "600", path]);
    expect(() => readRootKey(path)).toThrow(`root key ${path} is not a regular file`);
  });

  it("a link to a file in a folder that others may change", () => {
    const open_ = join(folder, "open");
    mkdirSync(open_);
    chmodSync(open_, 0o777);
    writeFileSync(join(open_, "key"), BYTES, { mode: 0o600 });
    symlinkSync(join(open_, "key"), path);
    expect(() => readRootKey(path)).toThrow(`run: chmod 700 ${open_}`);
  });

  it.runIf(process.getuid?.() === 0)("a file of another user", () => {
    write(BYTES);
    chownSync(path, 65534, 65534);
    expect(() => readRootKey(path)).toThrow(`belongs to user 65534, who can change it; run: chown 0 ${path}`);
  });

  it.runIf(process.getuid?.() === 0).each([
    {
      what: "in a folder of another user",
      spoil: (inner: string) => chownSync(inner, 1000, 1000),
      says: /can be replaced: folder .*inner \(mode 0700\) belongs to user 1000, .*; run: chown -h 0 .*inner /,
    },
    {
      what: "below a folder of another user",
      spoil: (_: string, outer: string) => chownSync(outer, 1000, 1000),
      says: /can be replaced: folder .*outer \(mode 0755\) belongs to user 1000, .*; run: chown -h 0 .*outer /,
    },
    {
      what: "below a folder that all may write",
      spoil: (_: string, outer: string) => chmodSync(outer, 0o777),
      says: /can be replaced: folder .*outer of user 0 has mode 0777, .*; run: chmod go-w .*outer$/,
    },
    {
      what: "behind a link that another user can change",
      spoil: (inner: string) => {
        symlinkSync(join(inner, "root.key"), join(folder, "link"));
        chownSync(folder, 1000, 1000);
        path = join(folder, "link");
      },
      says: /can be replaced: .* belongs to user 1000, .*; run: chown -h 0 /,
    },
  ])("a file $what, and takes it again once that is mended", ({ spoil, says }) => {
    const outer = join(folder, "outer");
    const inner = join(outer, "inner");
    mkdirSync(inner, { recursive: true });
    chmodSync(outer, 0o755);
    chmodSync(inner, 0o700);
    path = join(inner, "root.key");
    write(BYTES);
    expect(readRootKey(path).size).toBe(32);
    spoil(inner, outer);
    expect(refusal()).toMatch(says);
    for (const each of [folder, outer, inner]) chownSync(each, 0, 0);
    chmodSync(outer, 0o755);
    expect(readRootKey(path).size).toBe(32);
  });

  it("a loop of links", () => {
    symlinkSync(path, path);
    expect(refusal()).toContain("cannot be opened: ELOOP");
  });

  it("and takes the file once the advice was followed", () => {
    write(BYTES, 0o644);
    chmodSync(folder, 0o770);
    for (let round = 0; round < 2; round++) {
      const [, mode, target] = / run: chmod (\d+) (\S+)$/.exec(refusal()) ?? [];
      if (mode === undefined || target === undefined) throw new Error("no advice was given");
      chmodSync(target, Number.parseInt(mode, 8));
    }
    expect(readRootKey(path).size).toBe(32);
  });

  it("and never shows the bytes", () => {
    const refusals = [
      () => write(BYTES, 0o644),
      () => write(BYTES.subarray(0, 31)),
      () => write(Buffer.concat([BYTES, BYTES])),
    ].map((prepare) => {
      prepare();
      return inspect(
        caught(() => readRootKey(path)),
        { depth: null, showHidden: true },
      );
    });
    for (const text of refusals) {
      expect(text).toContain("SealUnavailable");
      for (const encoding of ["latin1", "hex", "base64"] as const) {
        expect(text).not.toContain(BYTES.subarray(0, 9).toString(encoding));
      }
    }
  });
});

describe("createRootKey", () => {
  it("makes a file that readRootKey takes: 32 random bytes, 0600", () => {
    createRootKey(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const bytes = Buffer.from(readRootKey(path).exposeSecretBytes());
    expect(bytes).toEqual(readFileSync(path));
    expect(bytes).not.toEqual(Buffer.alloc(32));
    expect(readdirSync(folder)).toEqual(["root.key"]);
  });

  it.runIf(process.getuid?.() === 0)(
    "makes none where another user could replace it, and no folder either",
    () => {
      chownSync(folder, 1000, 1000);
      path = join(folder, "etc", "root.key");
      expect(caught(() => createRootKey(path))).toMatchObject({
        code: "SealUnavailable",
        message: expect.stringContaining("belongs to user 1000"),
      });
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  it("makes another key each time", () => {
    createRootKey(path);
    createRootKey(join(folder, "second.key"));
    expect(readFileSync(path)).not.toEqual(readFileSync(join(folder, "second.key")));
  });

  it("makes missing folders, 0700, whatever the umask", () => {
    const before = process.umask(0);
    onTestFinished(() => void process.umask(before));
    path = join(folder, "etc", "claviger", "root.key");
    createRootKey(path);
    expect(statSync(join(folder, "etc", "claviger")).mode & 0o777).toBe(0o700);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readRootKey(path).size).toBe(32);
  });

  it.each([
    ["a root key", () => write(BYTES)],
    ["an empty file", () => write(Buffer.alloc(0))],
    ["a link that leads nowhere", () => symlinkSync(join(folder, "nowhere"), path)],
    ["a folder", () => mkdirSync(path)],
  ])("never replaces %s, and leaves no draft behind", (_, prepare) => {
    prepare();
    const kind = (): unknown =>
      existsSync(path) && statSync(path).isFile() ? readFileSync(path) : undefined;
    const before = kind();
    const error = caught(() => createRootKey(path));
    expect(error).toMatchObject({ code: "SealUnavailable" });
    expect(error).toMatchObject({ message: expect.stringContaining(`root key ${path} could not be made:`) });
    expect(kind()).toEqual(before);
    expect(readdirSync(folder)).toEqual(["root.key"]);
  });

  it("says why where no file can be made", () => {
    writeFileSync(join(folder, "file"), "");
    path = join(folder, "file", "root.key");
    expect(caught(() => createRootKey(path))).toMatchObject({
      code: "SealUnavailable",
      message: expect.stringContaining("could not be made:"),
    });
  });
});

function refusal(): string {
  const error = caught(() => readRootKey(path));
  if (!(error instanceof ClavigerError)) throw error;
  expect(error.code).toBe("SealUnavailable");
  return error.message;
}

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was refused");
}
