import { type KeyInput, keyChange, type Nothing } from "../key-change.ts";
import { NOT_PENDING_DELETION, refuseStates } from "../managed-key.ts";

interface Input extends KeyInput {
  readonly Description: string;
}

export const updateKeyDescription = keyChange<Input, Nothing>({
  action: "UpdateKeyDescription",
  decide(observed, { Description: description }) {
    refuseStates(observed, ...NOT_PENDING_DELETION);
    return observed.masterKey.spec.description === description ? undefined : { description };
  },
  isShown: ({ details }, { Description }) => details?.description === Description,
  answer: () => ({}),
});
