import { isDeepStrictEqual } from "node:util";
import { isoTime, timeOf } from "../../../times.ts";
import type { ObservedNode, ProviderStatus } from "./observed-node.ts";

type ObservedScope = ObservedNode["providers"][number]["scope"];

/**
 * When the EncryptionConfiguration was edited, if the API server does not use it yet: by its own word,
 * else if no Encrypt has come since. The first report knows of no edit. To the millisecond: an Encrypt may be of the same second.
 * An edit of a time to come is of now: no Encrypt would show that it is taken up for so long.
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

/** A time to come is that of now, and then stands. */
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
    // A release that did not report it says nothing of an edit.
    (reported.namesHash !== undefined && reported.namesHash !== scope.namesHash) ||
    !isDeepStrictEqual(reported.resources ?? [], scope.resources)
  );
}
