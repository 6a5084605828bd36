import { isDeepStrictEqual } from "node:util";
import { isoTime, timeOf } from "../../../times.ts";
import type { ObservedNode, ProviderStatus } from "./observed-node.ts";

type ObservedScope = ObservedNode["providers"][number]["scope"];

/**
 * Returns when the EncryptionConfiguration was edited, if the API server does not use the edit yet: by its
 * own report, or otherwise if no Encrypt has come since. The first report knows of no edit. To the
 * millisecond, because an Encrypt may be in the same second. An edit in the future counts as now: otherwise
 * no Encrypt could show for so long that it is loaded.
 */
export function editNotTakenUp(
  { scope, editedAt, takenUp }: ObservedNode["providers"][number],
  reported: ProviderStatus | undefined,
  lastEncryptAt = 0,
  now: Date,
): string | undefined {
  if (takenUp === true) return undefined;
  if (takenUp === false) return editOf(editedAt, reported, now);
  const stated = wasEdited(scope, reported) ? isoTimeIf(editedAt) : reported?.editNotTakenUp;
  if (stated === undefined) return undefined;
  const edit = timeOf(stated) > now.getTime() ? now.toISOString() : stated;
  return lastEncryptAt < timeOf(edit) ? edit : undefined;
}

/** A time in the future is replaced by the present time, and then kept. */
function editOf(editedAt = 0, reported: ProviderStatus | undefined, now: Date): string {
  if (editedAt <= now.getTime()) return isoTime(editedAt);
  const before = reported?.editNotTakenUp;
  return before !== undefined && timeOf(before) <= now.getTime() ? before : now.toISOString();
}

const isoTimeIf = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : isoTime(time);

function wasEdited(scope: ObservedScope, reported: ProviderStatus | undefined): boolean {
  if (scope === undefined || reported?.entries === undefined) return false;
  return (
    reported.entries !== scope.entries ||
    // A release that did not report it says nothing about an edit.
    (reported.namesHash !== undefined && reported.namesHash !== scope.namesHash) ||
    !isDeepStrictEqual(reported.resources ?? [], scope.resources)
  );
}
