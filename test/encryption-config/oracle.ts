import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildPrograms, requiredVersion, say } from "../controlplane/build.ts";
import { run } from "../controlplane/run.ts";

const MODULE = join(import.meta.dirname, "..", "controlplane");
const PACKAGE = "encryption-config";
// Without -buildvcs=false, Go runs git, which refuses a checkout of another user.
const FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w"];

/** The answer of kube-apiserver's own loader about a file. */
export interface Answer {
  readonly file: string;
  /** Its error, without automatic reload and with it; left out if it accepts the file. */
  readonly refused?: string;
  readonly refusedReload?: string;
  /** The faults that validation finds. */
  readonly faults?: readonly { readonly field: string; readonly detail: string }[];
  readonly rules?: readonly Rule[];
}

export interface Rule {
  readonly resources: readonly { readonly group: string; readonly resource: string }[];
  readonly providers: readonly Provider[];
}

export interface Provider {
  readonly kind: string;
  readonly keyNames?: readonly string[];
  readonly apiVersion?: string;
  readonly name?: string;
  readonly endpoint?: string;
  readonly socket?: string;
  readonly nanoseconds?: number;
}

/**
 * Returns the program that asks kube-apiserver's loader, built from Go modules. Returns undefined, after one
 * line on stderr, if it would have to be built and there is no Go; but throws if CI is set.
 */
export async function encryptionConfigOracle(): Promise<string | undefined> {
  const hash = createHash("sha256").update(FLAGS.join("\0"));
  const [gomod = "", ...others] = await Promise.all(
    ["go.mod", "go.sum", join(PACKAGE, "main.go")].map((name) => readFile(join(MODULE, name), "utf8")),
  );
  for (const text of [gomod, ...others]) hash.update(text);
  const version = requiredVersion(gomod, "k8s.io/kubernetes");
  const key = `${version}-${process.platform}-${process.arch}-${hash.digest("hex").slice(0, 12)}`;
  const built = await buildPrograms(PACKAGE, key, [
    {
      name: PACKAGE,
      version,
      usualTime: "1 minute",
      module: MODULE,
      package: `./${PACKAGE}`,
      flags: FLAGS,
    },
  ]);
  return built?.[0] ?? withoutGo();
}

function withoutGo(): undefined {
  const message = "the loader of EncryptionConfigurations is built by Go";
  if (process.env.CI) throw new Error(message);
  say(`skipping the comparison with it: ${message}`);
  return undefined;
}

/** Asks the loader about files, in their order. */
export async function askOracle(program: string, files: readonly string[]): Promise<readonly Answer[]> {
  const { code, stdout, stderr } = await run(program, files, { deadline: 120_000 });
  if (code !== 0) throw new Error(`the loader of EncryptionConfigurations ended with ${code}: ${stderr}`);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);
}
