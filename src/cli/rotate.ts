import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ClavigerError } from "../errors.ts";
import type { MasterKey, RotationStatus } from "../kube/resources.ts";
import { conditionOf } from "../operator/conditions.ts";
import { type Command, parseArgument } from "./command.ts";
import { type Progress, ProgressLine } from "./progress.ts";
import { ClusterMasterKey, kubeconfigOf, nameOf } from "./target.ts";

const POLL_MILLISECONDS = 500;

const OPTIONS = {
  wait: { type: "boolean" },
  config: { type: "string" },
  kubeconfig: { type: "string" },
} as const;

export const rotate: Command = {
  summary: "Ask for a new version of a key; --wait follows it until stored data is re-encrypted.",
  usage: "rotate NAMESPACE/NAME [--wait] [--kubeconfig FILE | --config FILE]",
  async run(args) {
    const { argument, options } = parseArgument(args, "one NAMESPACE/NAME", OPTIONS);
    const masterKey = new ClusterMasterKey(kubeconfigOf(options), nameOf(argument));
    refuse(argument, await masterKey.read());
    const token = `cli-${randomUUID()}`;
    await masterKey.patch({ rotation: { requestToken: token } });
    if (options.wait) await follow(argument, token, () => masterKey.read());
    else
      process.stdout.write(
        `a rotation of ${argument} was asked for; see kubectl get masterkey -w, or use --wait\n`,
      );
  },
};

/** What would never begin is refused here, as AWS KMS refuses RotateKeyOnDemand. */
function refuse(name: string, { spec, status }: MasterKey): void {
  const invalid = (why: string) => new ClavigerError("InvalidArgument", `${name} is not rotated: ${why}`);
  if (spec.origin !== "AWS_KMS") throw invalid("its material is imported; use claviger import --new");
  if (spec.keySpec !== "SYMMETRIC_DEFAULT") throw invalid(`a ${spec.keySpec} key has one version only`);
  if (!spec.enabled) throw invalid("it is disabled; set spec.enabled to true first");
  const [used, limit] = [status?.rotation?.onDemandCount ?? 0, spec.rotation?.onDemandLimit ?? 25];
  if (used >= limit)
    throw invalid(`${used} of ${limit} rotations were asked for; raise spec.rotation.onDemandLimit`);
}

async function follow(name: string, token: string, current: () => Promise<MasterKey>): Promise<void> {
  const line = new ProgressLine();
  let number: number | undefined;
  for (;;) {
    const key = await current();
    const { handledToken, running, last } = key.status?.rotation ?? {};
    if (handledToken === token) number ??= running?.number ?? last?.number;
    if (number !== undefined && last !== undefined && last.number >= number && running === undefined) {
      return line.end(outcomeText(name, last));
    }
    refuseStuck(name, key, handledToken === token);
    line.show(progressOf(name, key, running));
    await sleep(POLL_MILLISECONDS);
  }
}

/** Somebody changed the key while we were asking. */
function refuseStuck(name: string, { status }: MasterKey, begun: boolean): void {
  const finding = conditionOf(status?.conditions, "RotationOnTime");
  if (begun || finding?.status !== "False" || finding.reason !== "OnDemandLimitReached") return;
  throw new ClavigerError("InvalidArgument", `${name} is not rotated: ${finding.message}`);
}

function progressOf(name: string, { status }: MasterKey, running: RotationStatus["running"]): Progress {
  if (running === undefined) return { text: `${name}: waiting for the leading operator` };
  const text = `version ${running.number} of ${name} is ${running.phase}${waitingFor(status, running.phase)}`;
  const { phase, done, total, secondsLeft } = status?.reencryption ?? {};
  if (phase !== "Reencrypting" || done === undefined || total === undefined) return { text };
  return { text, done, total, ...(secondsLeft !== undefined && { secondsLeft }) };
}

/** Counts change all the time and are the bar's; a plain line says what is waited for. */
function waitingFor(status: MasterKey["status"], phase: string): string {
  if (phase === "Reencrypting") return "";
  const type = phase === "Distributing" ? "Distributed" : "Reencrypted";
  const finding = conditionOf(status?.conditions, type);
  return finding?.status === "False" ? `: ${finding.message}` : "";
}

function outcomeText(name: string, { number, verified }: NonNullable<RotationStatus["last"]>): string {
  return verified
    ? `${name}: version ${number} is current, and a census of etcd found nothing under an older key_id`
    : `${name}: version ${number} is current; no census proves that nothing is left under an older key_id`;
}
