import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { spawnTracked } from "../controlplane/reaper.ts";
import { run } from "../controlplane/run.ts";
import { CLAVIGER, Installation } from "./installation.ts";

type Environment = Readonly<Record<string, string>>;

/** A bare environment, as that of a user's shell that has read no profile. */
const bare = (environment: Environment = {}): Environment => ({
  PATH: process.env.PATH ?? "",
  // A home of its own: fish writes into it.
  HOME: installation.dir,
  ...environment,
});

const claviger = (args: readonly string[], environment: Environment = {}) =>
  run(process.execPath, [CLAVIGER, ...args], { env: bare(environment), deadline: 120_000 });

/** Starts a command whose output is two pipes. */
function startPiped(args: readonly string[], environment: Environment = {}) {
  const child = spawnTracked(process.execPath, [CLAVIGER, ...args], {
    env: bare(environment),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the command has no pipes");
  return { child, stdout, stderr, exited: once(child, "exit") };
}

/** Runs a command on a terminal of 80 columns. */
const onTerminal = (args: readonly string[], environment: Environment = {}) => {
  const command = [process.execPath, CLAVIGER, ...args].join(" ");
  return run("script", ["-qec", `stty cols 80 rows 24; exec ${command}`, "/dev/null"], {
    env: bare({ TERM: "xterm", ...environment }),
    deadline: 120_000,
  });
};

let installation: Installation;
let configured: Environment;
/** Asks for Status as an API server does. */
let client: ReturnType<Installation["client"]>;

beforeAll(async () => {
  installation = await Installation.create();
  await installation.start("serve");
  await installation.serving();
  client = installation.client();
  configured = { CLAVIGER_CONFIG: installation.configPath };
});
// On a slow machine the tests take longer than the silence after which status fails.
beforeEach(() => client.status());
afterAll(() => installation?.[Symbol.asyncDispose]());

describe("the configuration of a command", () => {
  it("is $CLAVIGER_CONFIG if --config is left out", async () => {
    const { code, stdout, stderr } = await claviger(["status", "-o", "json"], configured);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).providers).toMatchObject([{ name: "secrets", status: "ok" }]);
  });

  it.each([{}, { CLAVIGER_CONFIG: "/nowhere/claviger.yaml" }])(
    "is missing (%o) => one line that names the file and how to name another",
    async (environment) => {
      const { code, stdout, stderr } = await claviger(["doctor"], environment);
      const file = environment.CLAVIGER_CONFIG ?? "/etc/claviger/claviger.yaml";
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toBe(
        `claviger: configuration ${file} cannot be read: there is no such file; name this node's configuration with --config FILE or CLAVIGER_CONFIG\n`,
      );
    },
  );
});

describe("claviger status", () => {
  it("on a machine without a configuration => says how to ask the cluster", async () => {
    const { code, stderr } = await claviger(["status"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^claviger: there is no configuration \/etc\/claviger\/claviger\.yaml: .* -A or -n NAMESPACE\n$/,
    );
  });

  it("on a terminal of 80 columns => no line is longer, with colours", async () => {
    const { code, stdout } = await onTerminal(["status"], configured);
    expect(code, stdout).toBe(0);
    expect(stdout).toContain("\x1b[32mok\x1b[0m");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are what is taken out.
    const lines = stdout.replaceAll(/\x1b\[\d+m/g, "").split("\r\n");
    expect(lines).toContainEqual(expect.stringMatching(/^secrets +- +claviger-system\/secrets v1 +ok$/));
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it.each([
    ["NO_COLOR=1", { NO_COLOR: "1" }, []] as const,
    ["--color never", {}, ["--color", "never"]] as const,
  ])("on a terminal with %s => no colours", async (_, environment, args) => {
    const { stdout } = await onTerminal(["status", ...args], { ...configured, ...environment });
    expect(stdout).toContain("Nothing is wrong.");
    expect(stdout).not.toContain("\x1b");
  });

  it("in a pipe => no colours, unless FORCE_COLOR asks for them", async () => {
    expect((await claviger(["status"], configured)).stdout).not.toContain("\x1b");
    const forced = await claviger(["status"], { ...configured, FORCE_COLOR: "1" });
    expect(forced.stdout).toContain("\x1b[32mok\x1b[0m");
  });

  it("--watch in a pipe => shows a change, and ends at SIGINT with exit code 0", async () => {
    const { child, stdout, exited } = startPiped(["status", "--watch", "-o", "json"], configured);
    let text = "";
    stdout.on("data", (chunk: Buffer) => {
      const before = text;
      text += chunk.toString();
      if (before === "" && text !== "")
        void installation.manifest("watched.yaml", {
          apiVersion: "kms.claviger.dev/v1alpha1",
          kind: "MasterKey",
          metadata: { namespace: "shop", name: "watched" },
        });
      if (text.includes("shop/watched")) child.kill("SIGINT");
    });
    expect(await exited).toEqual([0, null]);
    expect(text).toContain("shop/watched");
  });
});

describe("claviger encrypt and decrypt", () => {
  /** Gives a command this text on stdin. */
  const piped = (input: string, ...args: readonly string[]) =>
    run(process.execPath, [CLAVIGER, ...args], { env: bare(configured), stdin: input, deadline: 120_000 });

  it("take a text there and back through the socket, and no log has it", async () => {
    const secret = "hello, canary 5d1c\n";
    const encrypted = await piped(secret, "encrypt", "--provider", "secrets");
    expect(encrypted).toMatchObject({ code: 0, stderr: "" });
    expect(Object.keys(JSON.parse(encrypted.stdout))).toEqual(["keyId", "ciphertext", "annotations"]);
    expect(encrypted.stdout.match(/\n/g)).toHaveLength(1);
    const decrypted = await piped(encrypted.stdout, "decrypt");
    expect(decrypted).toMatchObject({ code: 0, stdout: secret, stderr: "" });
    const logs = await Promise.all(installation.runs.map((each) => each.text()));
    expect(logs.join("")).not.toContain("canary 5d1c");
  });

  it("--round-trip => both sizes and times", async () => {
    const { code, stdout } = await piped("hello\n", "encrypt", "--round-trip");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^encrypted {2}6 bytes to \d+ in [\d.]+ ms, under claviger-system\/secrets\n/);
    expect(stdout).toMatch(/\ndecrypted {2}to the same 6 bytes in [\d.]+ ms\n$/);
  });

  it.each([
    [
      "a provider that is not there",
      "hello",
      ["encrypt", "--provider", "secretz"],
      2,
      /did you mean secrets\?/,
    ],
    ["more than KMS v2 takes", "x".repeat(1025), ["encrypt"], 1, /stdin has more than 1024 bytes/],
    ["more than a provider takes", "x".repeat(1000), ["encrypt"], 1, /a KMS v2 provider takes 1 to \d+/],
    ["nothing", "", ["encrypt"], 1, /plaintext has 0 bytes/],
    ["a plain text", "hello", ["decrypt"], 1, /^claviger: stdin is not JSON[^\n]*\n$/],
    [
      "an altered ciphertext",
      '{"keyId":"18e548cdc3af47a9b8a583c0631245d4","ciphertext":"AAAA","annotations":{}}',
      ["decrypt"],
      1,
      /provider secrets on .* did not do it/,
    ],
  ] as const)("are given %s => one line that says so", async (_, input, args, code, says) => {
    const result = await piped(input, ...args);
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr).toMatch(says);
    expect(result.stderr).toMatch(/^claviger: [^\n]+\n$/);
  });
});

describe("the help", () => {
  it.each([["help"], ["help", "import"], ["help", "status"]])(
    "%s %s on a terminal of 80 columns => no line is longer",
    async (...args) => {
      const { code, stdout } = await onTerminal(args);
      expect(code).toBe(0);
      for (const line of stdout.split("\r\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    },
  );
});

describe("a wrong flag", () => {
  it.each([
    [["status", "--wacth"], "there is no option --wacth (did you mean --watch?)"],
    [["status", "-o", "wdie"], "-o takes json, yaml or wide (did you mean wide?)"],
    [["status", "-n", "a", "-A"], "-n and -A exclude one another"],
    [["completion", "bsh"], "completion takes bash, zsh or fish (did you mean bash?)"],
    [["encrypt", "--color"], "there is no option --color"],
    [["serve", "--log-format", "jsn"], "--log-format takes text or json (did you mean json?)"],
  ])("%j => exit code 2, nothing on stdout, and one line that says what was meant", async (args, message) => {
    const { code, stdout, stderr } = await claviger(args, configured);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(`claviger: ${message}; see claviger help ${args[0]}\n`);
  });
});

describe("the log as JSON", () => {
  it("has every line of plugin and operator as an object, and nothing on stdout", async () => {
    await using other = await Installation.create();
    const serve = startPiped(["serve", "--config", other.configPath, "--log-format", "json"]);
    const output = Promise.all([text(serve.stdout), text(serve.stderr)]);
    await other.serving();
    serve.child.kill("SIGTERM");
    await serve.exited;
    const [stdout, stderr] = await output;
    expect(stdout).toBe("");
    const lines = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: "info",
        process: "plugin",
        message: "provider secrets serves claviger-system/secrets",
        version: 1,
      }),
    );
    expect(lines.map((line) => line.process)).toContain("operator");
  });
});

/** Starts a shell in which `claviger` is this program, and gives it a script. */
async function inShell(shell: readonly string[], script: string) {
  const folder = join(installation.dir, "bin");
  await mkdir(folder, { recursive: true });
  await symlink(CLAVIGER, join(folder, "claviger")).catch(() => undefined);
  const [binary = "", ...args] = shell;
  return run(binary, [...args, script], {
    env: bare({ ...configured, PATH: `${folder}:${dirname(process.execPath)}:${process.env.PATH}` }),
    deadline: 120_000,
  });
}

const hasShell = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0;

describe("the completion of a shell", () => {
  it("bash => commands, options, formats and providers", async () => {
    const words = async (...typed: readonly string[]) => {
      const quoted = typed.map((word) => `'${word}'`).join(" ");
      const { stdout, stderr } = await inShell(
        ["bash", "--norc", "-c"],
        `source <(claviger completion bash); COMP_WORDS=(claviger ${quoted}); COMP_CWORD=${typed.length}; _claviger; printf '%s\n' "\${COMPREPLY[@]}"`,
      );
      expect(stderr).toBe("");
      return stdout.trim().split("\n");
    };
    expect(await words("sta")).toEqual(["status"]);
    expect(await words("status", "-o", "")).toEqual(["json", "yaml", "wide"]);
    expect(await words("encrypt", "--provider", "")).toEqual(["secrets"]);
    expect(await words("census", "--a")).toEqual(["--all"]);
  });

  it.skipIf(!hasShell("fish"))("fish (skipped if there is none) => the same, with descriptions", async () => {
    const complete = async (line: string) =>
      (
        await inShell(
          ["fish", "--no-config", "-c"],
          `claviger completion fish | source; complete -C '${line}'`,
        )
      ).stdout;
    expect(await complete("claviger sta")).toMatch(/^status\tShow in one screen/);
    expect(await complete("claviger encrypt --provider ")).toBe("secrets\n");
  });

  it.skipIf(!hasShell("zsh"))("zsh (skipped if there is none) => the same, with descriptions", async () => {
    const complete = async (...typed: readonly string[]) => {
      const words = typed.map((word) => `'${word}'`).join(" ");
      // Only zsh's line editor calls _claviger; this gives the function the words, and shows its candidates.
      const stubs = "compdef() { :; }; _describe() { print -l -- $described; }; _files() { print files; }";
      const script = `${stubs}; source <(claviger completion zsh); words=(claviger ${words}); CURRENT=$#words; _claviger`;
      return (await inShell(["zsh", "-f", "-c"], script)).stdout;
    };
    expect(await complete("sta")).toMatch(/^status:Show in one screen/);
    expect(await complete("encrypt", "--provider", "")).toMatch(/^secrets:?\n$/);
    expect(await complete("restore", "")).toBe("files\n");
  });
});

describe("every command that prints a table", () => {
  it("whose reader has ended (EPIPE) => ends without a word on stderr", async () => {
    for (const args of ["help", "status", "status -o json"]) {
      const { stderr } = await run(
        "bash",
        ["-c", `"$0" "$1" ${args} | true; echo "\${PIPESTATUS[0]}" >&2`, process.execPath, CLAVIGER],
        { env: bare(configured), deadline: 120_000 },
      );
      expect(stderr, args).toBe("0\n");
    }
  });
});

describe.skipIf(process.getuid?.() !== 0)("a user who is not root (setpriv needs root to become one)", () => {
  it("may not read the files of claviger => one line that names the file, and no stack", async () => {
    const { code, stdout, stderr } = await run(
      "setpriv",
      ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, CLAVIGER, "status"],
      { env: bare(configured), deadline: 120_000 },
    );
    expect(code, stdout).toBe(1);
    expect(stderr).toMatch(/^claviger: [^\n]*EACCES[^\n]*\n$/);
    expect(stderr).toContain(installation.configPath);
  });
});
