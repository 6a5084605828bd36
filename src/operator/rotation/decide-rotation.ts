import type { Finding } from "../../resources/conditions.ts";
import type { KeyVersion, MasterKey } from "../../resources/resources.ts";
import type { Trigger } from "../../resources/schemas/fields.ts";
import { DEFAULT_ROTATION_DAYS } from "../../resources/schemas/rotation.ts";
import type { RotationStatus } from "../../resources/schemas/rotation-status.ts";
import { DAY_MILLISECONDS, rfc3339, timeOf } from "../../times.ts";
import type { Room } from "../master-key/namespace-room.ts";
import { type MaintenanceWindow, maintenanceWindow, type Opening } from "./maintenance-window.ts";

/** A rotation that is later than this, or takes longer, is overdue. */
const GRACE = DAY_MILLISECONDS;
/**
 * The maximum that spec.rotation.onDemandLimit counts for; AWS KMS has 25. It is in code, because an API
 * server would refuse every change to an object whose value its schema no longer allows.
 */
export const MOST_ON_DEMAND = 1_000;

export interface RotationPlan {
  /** A rotation to begin now, whatever else is in progress. */
  readonly begin?: { readonly trigger: Trigger; readonly token?: string };
  /** The status of the next rotation. */
  readonly status: Pick<RotationStatus, "clockStartedAt" | "nextRotationTime">;
  readonly finding: Finding;
  /** When a requested rotation can begin, if it has to wait. */
  readonly waitsUntil?: Date;
}

/** The facts beside the MasterKey on which a rotation depends. */
export interface RotationContext {
  /** The key's versions. */
  readonly own?: readonly KeyVersion[];
  /** The room that is left in the key's namespace. */
  readonly room?: Room;
}

/**
 * Decides if a key with a current version is to rotate (AWS KMS: EnableKeyRotation, RotateKeyOnDemand). A
 * scheduled rotation never begins while another rotation runs, and after a long downtime the key rotates
 * once; on demand it begins whatever runs. Disabling a key pauses both; once it is enabled again, a due
 * rotation begins.
 */
export function decideRotation(
  masterKey: MasterKey,
  now: Date,
  { own = [], room = {} }: RotationContext = {},
): RotationPlan {
  const { rotation } = masterKey.spec;
  if (masterKey.spec.origin === "EXTERNAL") return { status: {}, finding: imported };
  const asked = decideOnDemand(masterKey, room);
  const clock = rotationClock(masterKey, now);
  const period = (rotation?.periodInDays ?? DEFAULT_ROTATION_DAYS) * DAY_MILLISECONDS;
  const due = new Date(Math.max(clock.getTime(), newestOf(own, now)) + period);
  const scheduled = rotation?.enabled === true ? decideScheduled(masterKey, due, now, room) : off;
  const status = {
    clockStartedAt: rfc3339(clock),
    ...(rotation?.enabled === true &&
      scheduled.next !== "never" && { nextRotationTime: rfc3339(scheduled.next ?? due) }),
  };
  // A request that was refused does not block a scheduled rotation.
  const { begin, finding } = asked?.begin === undefined && scheduled.begin ? scheduled : (asked ?? scheduled);
  const waitsUntil = asked?.waitsUntil;
  return {
    ...(begin !== undefined && { begin }),
    status,
    finding,
    ...(waitsUntil !== undefined && { waitsUntil }),
  };
}

interface Decision extends Pick<RotationPlan, "waitsUntil"> {
  readonly begin?: RotationPlan["begin"];
  readonly finding: Finding;
  /** When it rotates by itself; the end of the period if left out. */
  readonly next?: Date | "never";
}

const onTime = (reason: string, message: string): Finding => ({
  type: "RotationOnTime",
  status: "True",
  reason,
  message,
});
const late = (reason: string, message: string): Finding => ({ ...onTime(reason, message), status: "False" });
const off: Decision = {
  finding: onTime("Off", "spec.rotation.enabled is not true: it rotates on demand only"),
};

/**
 * AWS KMS: automatic rotation and RotateKeyOnDemand generate material, which is not possible for imported
 * keys.
 */
const imported = onTime("Imported", "the material is imported: import new material to rotate it");

/** Returns undefined if there is no open request. */
function decideOnDemand({ spec, status }: MasterKey, { askedVersion }: Room): Decision | undefined {
  const token = spec.rotation?.requestToken;
  const { onDemandCount = 0, handledToken } = status?.rotation ?? {};
  if (token === undefined || token === handledToken) return undefined;
  const limit = Math.min(spec.rotation?.onDemandLimit ?? 0, MOST_ON_DEMAND);
  if (onDemandCount >= limit) {
    const remedy =
      limit < MOST_ON_DEMAND
        ? "raise spec.rotation.onDemandLimit"
        : "no key may have more, whatever spec.rotation.onDemandLimit says; use spec.rotation.enabled, or a new MasterKey";
    const message = `a rotation was asked for and ${onDemandCount} of ${limit} were used: ${remedy}`;
    return { finding: late("OnDemandLimitReached", message) };
  }
  if (!spec.enabled)
    return {
      finding: late(
        "KeyDisabled",
        "a rotation was asked for and waits: the key is disabled; set spec.enabled to true",
      ),
    };
  if (askedVersion !== undefined) {
    const { reason, message, until } = askedVersion;
    const finding = late(reason, `a rotation was asked for and waits: ${message}`);
    return { finding, ...(until !== undefined && { waitsUntil: until }) };
  }
  return { begin: { trigger: "OnDemand", token }, finding: onTime("Rotating", "a rotation was asked for") };
}

/**
 * Returns the time from which the period is counted. A clock that was far ahead for a while must not keep the
 * key from rotating for years, so a start in the future is replaced by the current time, unless our clock is
 * behind the key's creationTimestamp, which the API server set: then our clock is the wrong one.
 */
function rotationClock({ metadata, status }: MasterKey, now: Date): Date {
  const started = timeOf(status?.rotation?.clockStartedAt ?? status?.currentVersion?.promotedAt ?? "");
  const isWrong = now.getTime() < timeOf(metadata.creationTimestamp);
  return Number.isNaN(started) || (started > now.getTime() && !isWrong) ? now : new Date(started);
}

/**
 * Returns when the newest version was created, by the API server's date: otherwise whoever may write the
 * status could start one rotation after the other. A date in the future is ignored, because that clock was
 * wrong.
 */
function newestOf(versions: readonly KeyVersion[], now: Date): number {
  const made = versions.map(({ metadata }) => timeOf(metadata.creationTimestamp));
  return Math.max(0, ...made.filter((time) => time <= now.getTime()));
}

function decideScheduled(masterKey: MasterKey, due: Date, now: Date, { dueVersion }: Room): Decision {
  const running = masterKey.status?.rotation?.running;
  if (running !== undefined) return { finding: runningFinding(running, now) };
  const window = maintenanceWindow(masterKey.spec.rotation?.window);
  if (window.kind === "invalid") {
    const message = `spec.rotation.window cannot be read: ${window.message}`;
    return { next: "never", finding: late("WindowInvalid", message) };
  }
  const opening = openingFor(window, due, now);
  const next = opening.from > due ? opening.from : due;
  if (now < due)
    return { next, finding: onTime("Scheduled", `the next rotation is due at ${rfc3339(next)}`) };
  if (!masterKey.spec.enabled) {
    const message = `due since ${rfc3339(due)}, and the key is disabled: it rotates when it is enabled again`;
    return { next, finding: late("KeyDisabled", message) };
  }
  if (now < opening.from) return { next, finding: waiting(window, due, opening, now) };
  if (dueVersion !== undefined) {
    const message = `due since ${rfc3339(due)}, and ${dueVersion.message}`;
    return { next, finding: late(dueVersion.reason, message) };
  }
  return { next, begin: { trigger: "Automatic" }, finding: onTime("Rotating", `due since ${rfc3339(due)}`) };
}

/** Returns the opening in which a rotation that is due then may begin; never an opening in the past. */
function openingFor(window: MaintenanceWindow, due: Date, now: Date): Opening {
  const earliest = due > now ? due : now;
  const opening = window.kind === "scheduled" ? window.firstSince(earliest) : undefined;
  return opening ?? { from: earliest, until: earliest };
}

/** The rotation is overdue if a window opened and nothing happened in it. */
function waiting(window: MaintenanceWindow, due: Date, opening: Opening, now: Date): Finding {
  const message = `due since ${rfc3339(due)}, the window opens at ${rfc3339(opening.from)}`;
  const missed = window.kind === "scheduled" ? window.firstSince(due) : undefined;
  return missed !== undefined && missed.until < now
    ? late("Overdue", `${message}; the one at ${rfc3339(missed.from)} passed without a rotation`)
    : onTime("WaitingForWindow", message);
}

function runningFinding(
  { number, phase, startedAt, supersedes = [] }: NonNullable<RotationStatus["running"]>,
  now: Date,
): Finding {
  const place = supersedes.length === 0 ? "" : `, in place of that to version ${supersedes.join(", ")},`;
  const message = `the rotation to version ${number}${place} is ${phase}, since ${startedAt}`;
  return now.getTime() - timeOf(startedAt) > GRACE
    ? late("Overdue", `${message}: see the conditions Distributed and Reencrypted for what it waits for`)
    : onTime("Rotating", message);
}
