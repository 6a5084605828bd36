import { AwsError } from "../../aws-error.ts";
import { type KeyInput, keyChange } from "../key-change.ts";

interface Output {
  readonly KeyId: string;
}

export const cancelKeyDeletion = keyChange<KeyInput, Output>({
  action: "CancelKeyDeletion",
  decide({ state, arn }) {
    if (state !== "PendingDeletion")
      throw new AwsError("KMSInvalidStateException", `${arn} is not pending deletion.`);
    // AWS KMS leaves the key disabled.
    return { deletion: null, enabled: false };
  },
  isShown: ({ state }) => state !== "PendingDeletion" && state !== "Enabled",
  answer: ({ arn }) => ({ KeyId: arn }),
});
