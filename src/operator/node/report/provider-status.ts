import type { ObservationRow } from "../../../keyring/rows.ts";
import { keyRefText } from "../../../names.ts";
import { kmsKeyIdOfRow } from "../../../resources/versions.ts";
import { rfc3339, timeOf } from "../../../times.ts";
import { editNotTakenUp } from "./edit-not-taken-up.ts";
import type { ObservedNode, ProviderStatus } from "./observed-node.ts";

/**
 * An API server that asks for Status every minute must not cause writes of a KeyServer more often than this.
 */
const HEARD_MILLISECONDS = 120_000;

/** Returns the entry of one provider in a KeyServer. */
export function describeProvider(
  provider: ObservedNode["providers"][number],
  { before, observations, versions, silent = [] }: ObservedNode,
  now: Date,
): ProviderStatus {
  const { name, socket, ref, scope, allowImported } = provider;
  const seen = observations.find((observation) => observation.provider === name);
  const version = seen && versions.find((row) => kmsKeyIdOfRow(row) === seen.kmsKeyId);
  const reported = before?.providers?.find((one) => one.name === name);
  const edit = editNotTakenUp(provider, reported, seen?.lastEncryptAt, now);
  return {
    name,
    socket,
    serves: keyRefText(ref),
    ...(allowImported !== undefined && { allowImported }),
    ...(scope && { ...scope }),
    ...(edit !== undefined && { editNotTakenUp: edit }),
    ...(seen && {
      kmsKeyId: seen.kmsKeyId,
      servingSince: rfc3339(new Date(seen.servingSince)),
      encrypts: seen.encrypts,
      ...(seen.lastEncryptAt !== undefined && { lastEncryptTime: rfc3339(new Date(seen.lastEncryptAt)) }),
      // If a plugin does not answer, its last observation is stale.
      settled: seen.settled && !silent.some((one) => one.name === name),
      ...(seen.episode !== undefined && { episode: seen.episode }),
      ...askingOf(seen, reported),
    }),
    ...(version && { version: version.number }),
  };
}

function askingOf(
  { lastStatusAt, notAskedSince }: ObservationRow,
  reported: ProviderStatus | undefined,
): Pick<ProviderStatus, "lastStatusTime" | "notAskedSince"> {
  return {
    ...(lastStatusAt !== undefined && { lastStatusTime: heardTime(lastStatusAt, reported?.lastStatusTime) }),
    ...(notAskedSince !== undefined && { notAskedSince: rfc3339(new Date(notAskedSince)) }),
  };
}

/** The reported time stays until it is two minutes old; a clock that was set back counts as well. */
function heardTime(lastStatusAt: number, reported: string | undefined): string {
  const isLate = !(Math.abs(lastStatusAt - timeOf(reported)) < HEARD_MILLISECONDS);
  return isLate || reported === undefined ? rfc3339(new Date(lastStatusAt)) : reported;
}
