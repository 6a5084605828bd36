import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { canMount, Tmpfs } from "../testing/tmpfs.ts";
import { flawOfFolder, flawOnTheWay } from "./private-path.ts";

/** Only root can create folders of other users. */
const isRoot = process.getuid?.() === 0;
const ROOT = 0;
const ALICE = 1_000;
const NOBODY = 65_534;

let base = "";
beforeEach(() => {
  base = mkdtempSync(join(realpathSync(tmpdir()), "claviger-path-"));
  chmodSync(base, 0o755);
  const made = base;
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
});

function folder(name: string, mode = 0o755, owner = ROOT): string {
  const path = join(base, name);
  mkdirSync(path, { recursive: true });
  chownSync(path, owner, owner);
  chmodSync(path, mode);
  return path;
}

function link(name: string, target: string, owner = ROOT): string {
  const path = join(base, name);
  symlinkSync(target, path);
  lchownSync(path, owner, owner);
  return path;
}

/** Runs code as another user, with `input` and the functions under test. Returns its `output`. */
function as(user: number, code: string, input: unknown): unknown {
  const source = pathToFileURL(join(import.meta.dirname, "private-path.ts")).href;
  const text = `import fs from "node:fs";
    import { flawOfFolder, flawOnTheWay } from ${JSON.stringify(source)};
    const input = JSON.parse(fs.readFileSync(0, "utf8"));
    ${code}
    fs.writeFileSync(1, JSON.stringify(output));`;
  const args = ["--input-type=module", "--eval", text];
  const options = { uid: user, gid: user, cwd: "/", input: JSON.stringify(input), encoding: "utf8" } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { ...options, maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const FLAWS = "const output = input.map((path) => flawOfFolder(path) ?? null);";

describe.runIf(isRoot)("a folder whose way nobody else can change is safe:", () => {
  test("one of our own, closed, open to look into, or missing yet", () => {
    for (const mode of [0o700, 0o750, 0o755, 0o711])
      expect(flawOfFolder(folder("own", mode))).toBeUndefined();
    expect(flawOfFolder(join(base, "missing", "too"))).toBeUndefined();
  });

  test("root's and its own, for an unprivileged user", () => {
    const own = folder("alice", 0o700, ALICE);
    expect(as(ALICE, FLAWS, [own, folder("root", 0o755), join(own, "missing")])).toEqual([null, null, null]);
  });

  test("below a folder with the sticky bit, as /tmp, if the next name is root's or its own", () => {
    folder("tmp", 0o1777, NOBODY);
    chownSync(join(base, "tmp"), ROOT, ROOT);
    expect(flawOfFolder(folder("tmp/own", 0o700))).toBeUndefined();
    expect(as(ALICE, FLAWS, [folder("tmp/alice", 0o700, ALICE)])).toEqual([null]);
  });

  test("behind links of root's, relative ones and one in a folder with the sticky bit, as /tmp is on macOS", () => {
    folder("private/tmp", 0o1777);
    folder("private/tmp/own", 0o700);
    link("tmp", "private/tmp");
    link("private/tmp/link", "../../tmp/./own");
    expect(flawOfFolder(join(base, "tmp", "link"))).toBeUndefined();
  });
});

describe.runIf(isRoot)("a folder is refused, with what to do, if", () => {
  const owned = (path: string, user: number, advice = `run: chown -h 0 ${path}`) =>
    `folder ${path} (mode 0700) belongs to user ${user}, who can replace what lies in it; ${advice} (or choose a place of which all folders belong to root)`;

  test("it belongs to another user", () => {
    const path = folder("foreign", 0o700, ALICE);
    expect(flawOfFolder(path)).toBe(owned(path, ALICE));
  });

  test("a folder above it does", () => {
    const above = folder("foreign", 0o700, ALICE);
    folder("foreign/more/own", 0o700);
    expect(flawOfFolder(join(above, "more", "own"))).toBe(owned(above, ALICE));
  });

  test.each([0o777, 0o775, 0o757, 0o730, 0o702])("a folder above it has mode %o", (mode) => {
    const above = folder("open", mode);
    expect(flawOfFolder(folder("open/own", 0o700))).toBe(
      `folder ${above} of user 0 has mode 0${mode.toString(8)}, and others can replace what lies in it; run: chmod go-w ${above}`,
    );
  });

  test.each([0o770, 0o1777, 0o1770])("it has mode %o itself", (mode) => {
    expect(flawOfFolder(folder("open", mode))).toMatch(/run: chmod go-w /);
  });

  test("it is another user's in a folder with the sticky bit", () => {
    folder("tmp", 0o1777);
    const path = folder("tmp/foreign", 0o700, NOBODY);
    expect(flawOnTheWay(path)).toBe(
      `${path} (mode 0700) belongs to user 65534, who can replace it; run: chown -h 0 ${path} (or choose a place of which all folders belong to root)`,
    );
  });

  test("a link on its way is another user's in a folder with the sticky bit, or lies in a folder of theirs", () => {
    folder("tmp", 0o1777);
    const own = folder("own", 0o700);
    expect(flawOfFolder(link("tmp/link", own, ALICE))).toMatch(/\/tmp\/link .*belongs to user 1000/);
    folder("foreign", 0o755, ALICE);
    expect(flawOfFolder(link("foreign/link", own))).toMatch(/\/foreign .*belongs to user 1000/);
  });

  test("a link of root's leads through a folder of another user, and out of it again", () => {
    folder("foreign/deep", 0o755, ALICE);
    chownSync(join(base, "foreign"), ALICE, ALICE);
    folder("own", 0o700);
    expect(flawOfFolder(link("link", "foreign/deep/../../own"))).toMatch(/\/foreign .*belongs to user 1000/);
  });

  test("a link on its way leads to itself", () => {
    expect(flawOfFolder(link("loop", "loop"))).toMatch(/loop is a link that leads to itself$/);
  });

  test("it is missing yet, in a folder that others can write", () => {
    const above = folder("open", 0o777);
    expect(flawOnTheWay(join(above, "missing"))).toMatch(/run: chmod go-w /);
  });

  test("the user is unprivileged and the folder another's; the advice names that user", () => {
    const path = folder("nobody", 0o700, NOBODY);
    expect(as(ALICE, FLAWS, [path])).toEqual([
      owned(path, NOBODY, `run: chown -h 1000 ${path}`).replace("to root)", "to root or user 1000)"),
    ]);
  });

  test("and the advice, run as it stands, mends one flaw after another", () => {
    folder("a", 0o777, ALICE);
    folder("a/b c; touch pwned", 0o775, NOBODY);
    const path = folder("a/b c; touch pwned/own", 0o700, ALICE);
    for (let step = 0; step < 5; step += 1) {
      const [, command] = /run: (.+?)(?: \(or choose.*)?$/.exec(flawOfFolder(path) ?? "") ?? [];
      expect(command).toBeDefined();
      expect(spawnSync("sh", ["-c", command ?? ""], { cwd: base }).status).toBe(0);
    }
    expect(flawOfFolder(path)).toBeUndefined();
    expect(() => rmSync(join(base, "pwned"))).toThrow();
  });
});

test.runIf(canMount())(
  "a folder that all may write on a read-only mount, as of a ConfigMap, is safe if that is allowed",
  () => {
    using disk = new Tmpfs("1m");
    mkdirSync(join(disk.path, "own"));
    chmodSync(disk.path, 0o777);
    const path = join(disk.path, "own");
    const readOnlyMounts = true;
    expect(flawOnTheWay(path, { readOnlyMounts })).toMatch(/run: chmod go-w/);
    disk.remount("ro");
    expect(flawOnTheWay(path, { readOnlyMounts })).toBeUndefined();
    expect(flawOnTheWay(path)).toMatch(/run: chmod go-w/);
  },
);

/** A name on a path: a folder, or a link to another path. */
interface Name {
  readonly owner: number;
  readonly mode: number;
  readonly link: boolean;
}

const NAMES: fc.Arbitrary<Name> = fc.record({
  // Most are as they should be, so that paths that are safe as a whole occur too.
  owner: fc.oneof({ weight: 5, arbitrary: fc.constant(ROOT) }, fc.constantFrom(ALICE, NOBODY)),
  mode: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(0o755, 0o711) },
    fc.constantFrom(0o777, 0o775, 0o757, 0o1777, 0o1777, 0o1777, 0o1775, 0o2775, 0o773),
  ),
  link: fc.boolean(),
});

interface MadeWay {
  /** The path that is asked about. */
  readonly path: string;
  /** Every name that the kernel looks up on the path, at its real place. */
  readonly names: readonly string[];
}

let made = 0;

/** Creates the path. A link leads to a sibling folder in which the path continues. */
function makeWay(chain: readonly Name[]): MadeWay {
  const root = join(base, `w${made++}`);
  mkdirSync(root);
  chmodSync(root, 0o755);
  let [real, asked] = [root, root];
  const names: string[] = [];
  const later: (() => void)[] = [];
  for (const [index, { owner, mode, link: isLink }] of chain.entries()) {
    const name = join(real, `n${index}`);
    if (isLink) {
      const target = join(root, `t${index}`);
      mkdirSync(target);
      symlinkSync(`${"../".repeat(real.slice(root.length).split("/").length - 1)}t${index}`, name);
      lchownSync(name, owner, owner);
      later.push(
        () => chownSync(target, ROOT, ROOT),
        () => chmodSync(target, mode),
      );
      names.push(name, target);
      real = target;
    } else {
      mkdirSync(name);
      later.push(
        () => chownSync(name, owner, owner),
        () => chmodSync(name, mode),
      );
      names.push(name);
      real = name;
    }
    asked = join(asked, `n${index}`);
  }
  for (const step of later) step();
  return { path: asked, names };
}

/** Returns which of these names another user can remove and replace. */
const REPLACE = `const output = input.map(({ names, path }) => [...names, path + "/socket"].filter((name) => {
  try {
    if (name.endsWith("/socket")) fs.mkdirSync(name + "x");
    else { fs.renameSync(name, name + "x"); fs.mkdirSync(name); }
  } catch { return false; }
  if (name.endsWith("/socket")) fs.rmdirSync(name + "x");
  else { fs.rmdirSync(name); fs.renameSync(name + "x", name); }
  return true;
}));`;

test.runIf(isRoot)(
  "any way of any owners and modes: what is accepted nobody else can replace a name of, tried by doing it",
  { timeout: 120_000 },
  () => {
    const chains = fc.sample(fc.array(NAMES, { minLength: 1, maxLength: 4 }), 1_500);
    const ways = chains.map(makeWay);
    for (const [user, others] of [
      [ROOT, [ALICE, NOBODY]],
      [ALICE, [NOBODY]],
    ] as const) {
      const paths = ways.map(({ path }) => path);
      const flaws = (
        user === ROOT ? paths.map((path) => flawOfFolder(path) ?? null) : as(user, FLAWS, paths)
      ) as (string | null)[];
      const replaced = others.map((other) => as(other, REPLACE, ways) as string[][]);
      const wrong = ways.flatMap(({ path }, index) => {
        const names = replaced.flatMap((each) => each[index] ?? []);
        return flaws[index] === null && names.length > 0 ? [{ user, path, names, chain: chains[index] }] : [];
      });
      expect(wrong).toEqual([]);
      const accepted = flaws.filter((flaw) => flaw === null).length;
      const exploited = ways.filter((_, index) => replaced.some((each) => (each[index] ?? []).length > 0));
      expect(accepted).toBeGreaterThan(100);
      expect(exploited.length).toBeGreaterThan(100);
    }
  },
);
