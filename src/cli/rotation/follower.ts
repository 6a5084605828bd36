import { ClavigerError, codeOf, messageOf } from "../../errors.ts";
import { conditionOf } from "../../resources/conditions.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { RotationStatus } from "../../resources/schemas/rotation-status.ts";
import { type Pace, POLL_MILLISECONDS, readPatiently } from "../terminal/patience.ts";
import type { Progress, ProgressLine } from "../terminal/progress.ts";
import { type RotationRequest, type RotationSight, sightOf } from "./watch.ts";

/** The MasterKey whose rotation was requested. */
export interface RotationTarget {
  /** Reads the MasterKey. Throws NotFound or ApiServer. */
  read(signal?: AbortSignal): Promise<MasterKey>;
  /** Changes these fields of its spec. Throws Conflict if a resourceVersion is given and is stale. */
  patch(spec: object, resourceVersion?: string): Promise<void>;
}

export interface Following {
  /** NAMESPACE/NAME. */
  readonly name: string;
  readonly target: RotationTarget;
  readonly request: Pick<RotationRequest, "token" | "uid">;
  /** The value of spec.rotation.requestToken before the request. */
  readonly tokenBefore: string | undefined;
  readonly line: Pick<ProgressLine, "show" | "end" | "clear">;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

/**
 * Shows the progress of the requested rotation until it is finished. Throws the reason if it will not finish.
 */
export async function followRotation(following: Following): Promise<void> {
  const { line, signal, name } = following;
  try {
    line.end(outcomeText(name, await untilFinished(following)));
  } catch (error) {
    line.clear();
    if (!signal.aborted) throw error;
    throw new ClavigerError(
      "NotReady",
      `the requested rotation continues without this command; ${look(name)}`,
    );
  }
}

async function untilFinished(following: Following): Promise<NonNullable<RotationStatus["last"]>> {
  const { name, line, pace, signal } = following;
  const started = pace.now();
  let number: number | undefined;
  for (;;) {
    const key = await readKey(following);
    const milliseconds = pace.now() - started;
    const sight = sightOf(key, {
      ...following.request,
      milliseconds,
      ...(number !== undefined && { number }),
    });
    if (sight.kind === "done") return sight.last;
    if (sight.kind === "over") throw await ended(following, sight);
    if (sight.kind === "running") number = sight.number;
    line.show(progressOf(name, key, number));
    await pace.pause(POLL_MILLISECONDS, signal);
  }
}

async function readKey({ name, target, line, pace, signal }: Following): Promise<MasterKey> {
  const what = `MasterKey ${name}`;
  const say = (text: string) => line.show({ text });
  try {
    return await readPatiently({ what, read: () => target.read(signal), say, pace, signal });
  } catch (error) {
    if (codeOf(error) === "NotFound") {
      throw new ClavigerError(
        "NotFound",
        `${name} is not rotated any more: the MasterKey was deleted meanwhile`,
        { cause: error },
      );
    }
    if (signal.aborted) throw error;
    throw new ClavigerError(
      codeOf(error),
      `${messageOf(error)}; the rotation continues without this command; ${look(name)}`,
      {
        cause: error,
      },
    );
  }
}

const look = (name: string): string => `see kubectl get masterkey -w ${kubectlName(name)}`;

function kubectlName(name: string): string {
  const [namespace = "", object = ""] = name.split("/");
  return `-n ${namespace} ${object}`;
}

/** A request that was reported as over must not start a rotation later, so it is withdrawn. */
async function ended(
  following: Following,
  { armed, begun, why }: Extract<RotationSight, { kind: "over" }>,
): Promise<ClavigerError> {
  const what = begun ? "is not rotated to the end:" : "is not rotated:";
  const end = armed ? await withdraw(following) : "";
  return new ClavigerError("InvalidArgument", `${following.name} ${what} ${why}${end}`);
}

/** Withdraws the request if it is still there and nothing was done about it. Returns what became of it. */
async function withdraw({ target, request, tokenBefore }: Following): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { metadata, spec, status } = await target.read();
      if (status?.rotation?.handledToken === request.token) return "; a leader has begun it nevertheless";
      if (spec.rotation?.requestToken !== request.token) return "";
      await target.patch({ rotation: { requestToken: tokenBefore ?? null } }, metadata.resourceVersion);
      return "; the request was taken back";
    } catch (error) {
      if (codeOf(error) === "Conflict" && attempt < WITHDRAWALS) continue;
      return `; the request could not be taken back (${messageOf(error)}): take spec.rotation.requestToken out, or it is acted upon as soon as it can be`;
    }
  }
}

/** A leader may write the status at the same moment. */
const WITHDRAWALS = 5;

function progressOf(name: string, key: MasterKey, number: number | undefined): Progress {
  const running = key.status?.rotation?.running;
  if (number === undefined || running === undefined) {
    return { text: `${name}: waiting for the leading operator${sinceRequest(key)}` };
  }
  const place = running.number > number ? `, in place of version ${number},` : "";
  const text = `version ${running.number} of ${name}${place} is ${running.phase}${waitingFor(key, running)}`;
  const { phase, done, total, secondsLeft } = ofCurrent(key) ?? {};
  if (phase !== "Reencrypting" || phase !== running.phase || done === undefined || total === undefined) {
    return { text };
  }
  return { text, done, total, ...(secondsLeft !== undefined && { secondsLeft }) };
}

/** The bar shows counts, which change all the time. A plain line says what the rotation waits for. */
function waitingFor(key: MasterKey, { phase, number }: Running): string {
  if (phase === "Reencrypting") return "";
  if (phase === "Distributing") return falseFinding(key, "Distributed");
  // The condition may be about the version before, or about the phase before.
  const isOfThis = key.status?.currentVersion?.number === number && ofCurrent(key)?.phase === phase;
  return isOfThis ? falseFinding(key, "Reencrypted") : "";
}

type Running = NonNullable<RotationStatus["running"]>;

/**
 * Returns how far stored data has followed the current version, or undefined if the status is about another
 * version.
 */
function ofCurrent({ status }: MasterKey) {
  const { reencryption, currentVersion } = status ?? {};
  return reencryption?.kmsKeyId === currentVersion?.kmsKeyId ? reencryption : undefined;
}

/** Returns why the request is not acted upon, if the condition is about the spec that has the request. */
const sinceRequest = (key: MasterKey): string => {
  const finding = conditionOf(key.status?.conditions, "Distributed");
  return finding?.observedGeneration === key.metadata.generation ? falseFinding(key, "Distributed") : "";
};

function falseFinding({ status }: MasterKey, type: string): string {
  const finding = conditionOf(status?.conditions, type);
  return finding?.status === "False" ? `: ${finding.message}` : "";
}

function outcomeText(name: string, { number, verified }: NonNullable<RotationStatus["last"]>): string {
  return verified
    ? `${name}: version ${number} is current, and a census of etcd found nothing under an older key_id`
    : `${name}: version ${number} is current; no census proves that nothing is left under an older key_id`;
}
