/** `npm run bench`: measures claviger and its alternatives on this machine. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { removeOnExit } from "../test/controlplane/reaper.ts";
import { type Arguments, type PartName, parseArguments, USAGE } from "./arguments.ts";
import { aws } from "./aws/aws.ts";
import { flood } from "./flood.ts";
import { grants } from "./grants.ts";
import { kms } from "./kms.ts";
import { describeMachine } from "./machine.ts";
import { memory } from "./memory.ts";
import type { Bench, Part, PartResult } from "./part.ts";
import { buildPeers } from "./peers.ts";
import { type Build, packageClaviger } from "./plugins.ts";
import { reencrypt } from "./reencrypt.ts";
import { goalsText, page, partText } from "./report.ts";
import { FULL, QUICK } from "./scale.ts";
import { secrets } from "./secrets.ts";
import { seeds } from "./seeds.ts";
import { start } from "./start.ts";

const PAGE = join(import.meta.dirname, "..", "docs", "benchmarks.md");
const parts: Readonly<Record<PartName, Part>> = {
  secrets,
  start,
  seeds,
  memory,
  flood,
  reencrypt,
  kms,
  grants,
  aws,
};

async function main(wanted: Arguments): Promise<void> {
  const machine = await describeMachine();
  print(machine.map((line) => `- ${line}\n`).join(""));
  const results = await measure(wanted);
  const goals = results.flatMap((result) => result.goals);
  if (goals.length > 0) print(goalsText(goals));
  if (!wanted.write) return;
  await mkdir(join(PAGE, ".."), { recursive: true });
  await writeFile(PAGE, page(results, { date: new Date().toISOString().slice(0, 10), machine }));
  progress(`wrote ${PAGE}`);
}

async function measure(wanted: Arguments): Promise<PartResult[]> {
  progress("building claviger and the peers");
  const dir = await mkdtemp(join(tmpdir(), "clvb-"));
  removeOnExit(dir);
  const claviger = await packageClaviger(join(dir, "package"));
  const beside = wanted.beside === undefined ? undefined : buildBeside(wanted.beside);
  const peers = await buildPeers();
  const bench: Bench = { dir, peers, claviger, beside, scale: wanted.quick ? QUICK : FULL, progress };
  const results: PartResult[] = [];
  try {
    for (const name of wanted.parts) {
      const result = await parts[name](bench);
      print(partText(result));
      results.push(result);
    }
    return results;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const buildBeside = (folder: string): Build => ({ name: "other build", folder: resolve(folder) });

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

function wantedParts(): Arguments | undefined {
  try {
    return parseArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    process.exitCode = 2;
    return undefined;
  }
}

const wanted = wantedParts();
if (wanted !== undefined) await main(wanted);
