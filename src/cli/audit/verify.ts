import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { MOST_PROOF_BYTES, parseProof, proofFault } from "../../audit/notes/tlog-proof.ts";
import type { Verification } from "../../audit/verify/verification.ts";
import { verifyLog } from "../../audit/verify/verify-log.ts";
import { ClavigerError } from "../../errors.ts";
import { formatOf, OUTPUT, parseOptions, UsageError } from "../command.ts";
import { render } from "../terminal/output.ts";
import { print } from "../terminal/print.ts";
import { ProgressLine } from "../terminal/progress.ts";
import { LOG_OPTIONS, logPathOf, signingKeyOf } from "./log-option.ts";

const OPTIONS = {
  ...LOG_OPTIONS,
  key: { type: "string" },
  checkpoint: { type: "string" },
  proof: { type: "string" },
  output: OUTPUT,
} as const;

const MOST_CHECKPOINT_BYTES = 16 * 1024 * 1024;

/** Verifies the log, or a proof without the log. */
export async function verify(args: readonly string[]): Promise<void> {
  const options = parseOptions(args, OPTIONS);
  const format = formatOf(options.output);
  const key = signingKeyOf(options.key);
  if (options.proof !== undefined) {
    if (key === undefined) throw new UsageError("--proof needs --key");
    return verifyProof(options.proof, key);
  }
  const { checkpoint } = options;
  const kept =
    checkpoint === undefined
      ? undefined
      : { text: bounded(checkpoint, MOST_CHECKPOINT_BYTES), file: basename(checkpoint) };
  const path = logPathOf(options);
  const line = new ProgressLine(process.stderr, { seldom: true });
  const found = await verifyLog({
    path,
    key,
    kept,
    now: Date.now(),
    onProgress: (step, lines) =>
      line.show({ text: step === "lines" ? `${lines} lines read` : `tree of ${lines} lines` }),
  }).finally(() => line.clear());
  print(format ? render(found, format) : forPeople(found, { isTrusted: key !== undefined }));
  if (found.faults > 0)
    throw new ClavigerError("InvalidArgument", `the audit log ${path} has ${countOf(found.faults, "fault")}`);
}

const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

function bounded(path: string, bytes: number): string {
  if (statSync(path).size > bytes)
    throw new ClavigerError("InvalidArgument", `${path} has more than ${bytes} bytes`);
  return readFileSync(path, "utf8");
}

function verifyProof(path: string, key: Parameters<typeof proofFault>[1]): void {
  const proof = parseProof(bounded(path, MOST_PROOF_BYTES));
  const fault = proof === undefined ? "it is no C2SP tlog-proof with a record" : proofFault(proof, key);
  if (proof === undefined || fault !== undefined)
    throw new ClavigerError("InvalidArgument", `${path} proves nothing: ${fault}`);
  print(`${proof.line.toString("utf8")}\n`);
  print(`The log ${key.name} has this record as line ${proof.index}: the proof is good.\n`);
}

function forPeople(found: Verification, { isTrusted }: { readonly isTrusted: boolean }): string {
  const { origin, lines, signed, checkpoints, keys, findings, moreFindings, faults } = found;
  const list = findings.map(({ isFault, message }) => `${isFault ? "FAULT" : "note "}  ${message}\n`);
  const more = moreFindings === 0 ? "" : `${moreFindings} findings more\n`;
  const trust = isTrusted
    ? ""
    : "No key was named: this shows that the log fits itself. Keep the key below elsewhere, and name it with --key.\n";
  return [
    `Log ${origin ?? "of unknown name"}: ${countOf(lines, "line")}, ${signed} of them signed, ${countOf(checkpoints, "good checkpoint")}\n`,
    ...list,
    more,
    `Signing key: ${keys.at(-1) ?? "unknown"}\n`,
    trust,
    faults === 0 ? "Nothing is wrong.\n" : "",
  ].join("");
}
