import { nameText } from "../../names.ts";
import { conditionOf } from "../../resources/conditions.ts";
import { needsSomebody } from "../../resources/passing-reasons.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { rotates } from "../../resources/versions.ts";
import { type KeyRow, type Progress, shown, type Tone, word } from "../overview.ts";

const STATE_TONES: Readonly<Record<string, Tone>> = {
  Creating: "moving",
  Enabled: "good",
  PendingImport: "moving",
  PendingDeletion: "bad",
};

/** Returns the rows of the MasterKeys, in their order. */
export const keyRows = (masterKeys: readonly MasterKey[]): KeyRow[] => masterKeys.map(keyRow);

function keyRow(masterKey: MasterKey): KeyRow {
  const { metadata, status } = masterKey;
  const state = status?.keyState ?? "Creating";
  const next = status?.rotation?.nextRotationTime;
  return {
    key: shown(nameText({ namespace: metadata.namespace ?? "", name: metadata.name })),
    state: word(state, STATE_TONES[state] ?? "plain"),
    version: shown(status?.currentVersion === undefined ? "-" : String(status.currentVersion.number)),
    data: dataOf(masterKey),
    rotation: rotationOf(masterKey),
    ...(next !== undefined && { nextRotation: shown(next) }),
  };
}

function dataOf({ status }: MasterKey): KeyRow["data"] {
  const reencrypted = conditionOf(status?.conditions, "Reencrypted");
  const progress = progressOf(status?.reencryption);
  if (reencrypted === undefined) return word("-", "plain");
  const isStuck: boolean = needsSomebody(reencrypted);
  const tone = isStuck ? "bad" : (TONES[reencrypted.status] ?? "plain");
  return { ...word(reencrypted.reason, tone), ...(progress && { progress }) };
}

const TONES: Readonly<Record<string, Tone>> = { True: "good", False: "moving", Unknown: "plain" };

function progressOf(reencryption: NonNullable<MasterKey["status"]>["reencryption"]): Progress | undefined {
  const { phase, done, total, secondsLeft } = reencryption ?? {};
  if (phase !== "Reencrypting" || done === undefined || total === undefined) return undefined;
  return { done, total, ...(secondsLeft !== undefined && { secondsLeft }) };
}

function rotationOf({ spec, status }: MasterKey): KeyRow["rotation"] {
  const { running, nextRotationTime } = status?.rotation ?? {};
  if (running !== undefined) return word(`to version ${running.number}: ${running.phase}`, "moving");
  if (!rotates({ spec })) return word("never", "plain");
  return word(nextRotationTime === undefined ? "on request" : "scheduled", "plain");
}
