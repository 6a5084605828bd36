import type { Finding } from "../../resources/conditions.ts";
import { firstFew } from "../../resources/first-few.ts";
import type { ReencryptionStatus } from "../../resources/schemas/reencryption.ts";
import { objectsText } from "../../storage/census/census-tally.ts";
import { scopeText } from "../../storage/scope.ts";
import type { Strays } from "../../storage/stored-objects.ts";
import { lacksRight } from "../../store/kube/missing-right.ts";

/** Makes the condition Reencrypted while stored data have not followed. */
export const unfinished = (reason: string, message: string): Finding => ({
  type: "Reencrypted",
  status: "False",
  reason,
  message,
});

/** Makes the same condition if nobody can tell, or if claviger is not involved. */
export const unknown = (reason: string, message: string): Finding => ({
  ...unfinished(reason, message),
  status: "Unknown",
});

export function completed({ verified, kmsKeyId, resources }: ReencryptionStatus, flaw?: string): Finding {
  const message = verified
    ? `a census of etcd found ${scopeText(resources)} under key_id ${kmsKeyId} only`
    : `${scopeText(resources)} were written again under key_id ${kmsKeyId}; no census proves it: set etcd in the configuration of every operator`;
  return {
    type: "Reencrypted",
    status: "True",
    reason: verified ? "Verified" : "Unverified",
    message: flaw === undefined ? message : `${message}; ${flaw}`,
  };
}

export const nothingStored = (): Finding =>
  unknown(
    "NothingStored",
    "no EncryptionConfiguration puts anything under this key: what was stored under it before stays so until it is written again, and an API server that was not restarted since may still store under it",
  );

export const flagMissing = (nodes: readonly string[]): Finding =>
  unfinished(
    "EncryptionConfigNotConfigured",
    `the API server of ${firstFew(nodes, 5)} was started without --encryption-provider-config: it stores everything plain, and cannot read what is stored under this key: give it the flag and the mount of the file again (kubeadm upgrade takes both out if they are not in its ClusterConfiguration)`,
  );

/** Describes what keeps a round from being the last. */
export function leftText({ failed = 0, failures = [], remaining, strays = [] }: ReencryptionStatus): string {
  const counted =
    remaining === undefined
      ? ""
      : `${objectsText(remaining)} ${remaining === 1 ? "is" : "are"} under another key_id or none${strayText(strays, remaining)}`;
  const named = failures.map(({ object, reason }) => `${object} (${reason})`).join(", ");
  const refused = failed === 0 ? "" : `${objectsText(failed)} could not be written: ${named}`;
  const missingRight = failures.find(lacksRight)?.message ?? "";
  return [counted, refused, missingRight].filter((part) => part !== "").join("; ");
}

export const straysFound = ({ remaining = 0, strays = [], kmsKeyId }: ReencryptionStatus): Finding =>
  unfinished(
    "StraysFound",
    `a census found ${objectsText(remaining)} not under key_id ${kmsKeyId}, after an earlier one had found none${strayText(strays, remaining)}: an API server that is not among the KeyServers, or another program, may write to etcd; they are written again now`,
  );

function strayText(strays: Strays, remaining: number): string {
  if (strays.length === 0) return "";
  const named = strays.map(
    ({ resource, namespace, name, under }) =>
      `${resource} ${namespace === undefined ? name : `${namespace}/${name}`} (${under})`,
  );
  const more = remaining - strays.length;
  return `: ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
