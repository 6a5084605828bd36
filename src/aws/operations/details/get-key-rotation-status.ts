import { mayRotate } from "../../../crypto/key-specs.ts";
import type { Operation } from "../operation.ts";

interface Input {
  readonly KeyId: string;
}

interface Output {
  readonly KeyId: string;
  readonly KeyRotationEnabled: boolean;
  readonly RotationPeriodInDays: number | undefined;
  readonly NextRotationDate: Date | undefined;
  readonly OnDemandRotationStartDate: Date | undefined;
}

export const getKeyRotationStatus: Operation<Input, Output> = {
  needs: ({ input: { KeyId }, caller }, keys) => [
    { action: "GetKeyRotationStatus", key: keys.find(KeyId, caller) },
  ],
  prepare({ input: { KeyId }, caller, now }, keys) {
    const key = keys.find(KeyId, caller);
    const { rotation, keySpec, origin } = keys.details(key);
    const rotates = rotation.enabled && origin === "AWS_KMS" && mayRotate(keySpec);
    // AWS KMS: the status is false while the key is pending deletion, and as before once that is cancelled.
    const enabled = rotates && keys.state(key, now) !== "PendingDeletion";
    return () => ({
      KeyId: key.keyId,
      KeyRotationEnabled: enabled,
      RotationPeriodInDays: enabled ? rotation.periodInDays : undefined,
      NextRotationDate: enabled ? dateOf(rotation.nextAt) : undefined,
      OnDemandRotationStartDate: dateOf(rotation.onDemandStartedAt),
    });
  },
};

const dateOf = (time: number | undefined): Date | undefined =>
  time === undefined ? undefined : new Date(time);
