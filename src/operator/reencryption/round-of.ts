import { objectName } from "../../resources/object-text.ts";
import type { MasterKey } from "../../resources/resources.ts";
import type { Job } from "./reencryptor.ts";

/** Returns the round of re-encryption in a status. */
export const roundOf = (
  masterKey: MasterKey,
  status: MasterKey["status"],
): Pick<Job, "masterKey" | "kmsKeyId" | "round"> => ({
  masterKey: objectName(masterKey),
  kmsKeyId: status?.reencryption?.kmsKeyId ?? "",
  round: status?.reencryption?.round ?? 0,
});
