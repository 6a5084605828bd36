import { DEFAULT_ROTATION_DAYS } from "../../../resources/schemas/rotation.ts";
import { AwsError } from "../../aws-error.ts";
import { type KeyInput, keyChange, type Nothing } from "../key-change.ts";
import { refuseOtherThanRotating } from "./rotating-key.ts";

interface EnableInput extends KeyInput {
  readonly RotationPeriodInDays?: number;
}

/** AWS KMS's bounds. */
const PERIOD = { minimum: 90, maximum: 2560 };

export const enableKeyRotation = keyChange<EnableInput, Nothing>({
  action: "EnableKeyRotation",
  decide(observed, { RotationPeriodInDays: given }) {
    const { rotation } = observed.masterKey.spec;
    const periodInDays = given ?? rotation?.periodInDays ?? DEFAULT_ROTATION_DAYS;
    refuseOtherPeriod(given);
    refuseOtherThanRotating(observed);
    const isSame = rotation?.enabled === true && rotation.periodInDays === periodInDays;
    return isSame ? undefined : { rotation: { enabled: true, periodInDays } };
  },
  isShown: ({ details }, { RotationPeriodInDays: given }) =>
    details?.rotation.enabled === true && [undefined, details.rotation.periodInDays].includes(given),
  answer: () => ({}),
});

export const disableKeyRotation = keyChange<KeyInput, Nothing>({
  action: "DisableKeyRotation",
  decide(observed) {
    refuseOtherThanRotating(observed);
    return observed.masterKey.spec.rotation?.enabled === true ? { rotation: { enabled: false } } : undefined;
  },
  isShown: ({ details }) => details?.rotation.enabled === false,
  answer: () => ({}),
});

function refuseOtherPeriod(days = DEFAULT_ROTATION_DAYS): void {
  if (days >= PERIOD.minimum && days <= PERIOD.maximum) return;
  throw new AwsError("ValidationException", `RotationPeriodInDays is ${PERIOD.minimum} to ${PERIOD.maximum}`);
}
