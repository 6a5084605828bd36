import { randomUUID } from "node:crypto";
import type { MasterKey } from "../../../resources/resources.ts";
import { timeOf } from "../../../times.ts";
import { AwsError } from "../../aws-error.ts";
import { type KeyInput, keyChange } from "../key-change.ts";
import { refuseOtherThanRotating } from "./rotating-key.ts";

interface Output {
  readonly KeyId: string;
}

/** AWS KMS's limit, which a MasterKey may lower or raise. */
const DEFAULT_LIMIT = 25;
/** AWS KMS refuses a rotation on demand if an automatic rotation is due so soon. */
const SOON_MILLISECONDS = 20 * 60_000;

/** Asks for a rotation. Like AWS KMS it answers before the key has its new material. */
export const rotateKeyOnDemand = keyChange<KeyInput, Output>({
  action: "RotateKeyOnDemand",
  decide(observed, _, { now }) {
    refuseOtherThanRotating(observed);
    const { masterKey, arn } = observed;
    if (isRotating(masterKey, now))
      throw new AwsError("ConflictException", `${arn} has a rotation that is in progress or about to begin.`);
    const limit = masterKey.spec.rotation?.onDemandLimit ?? DEFAULT_LIMIT;
    if ((masterKey.status?.rotation?.onDemandCount ?? 0) >= limit)
      throw new AwsError(
        "LimitExceededException",
        `${arn} has been rotated on demand ${limit} times, which is its limit.`,
      );
    return { rotation: { requestToken: randomUUID() } };
  },
  isShown: () => true,
  answer: ({ arn }) => ({ KeyId: arn }),
});

function isRotating({ spec, status }: MasterKey, now: number): boolean {
  const { running, handledToken, nextRotationTime } = status?.rotation ?? {};
  const asked = spec.rotation?.requestToken;
  if (running !== undefined || (asked !== undefined && asked !== handledToken)) return true;
  return nextRotationTime !== undefined && timeOf(nextRotationTime) - now < SOON_MILLISECONDS;
}
