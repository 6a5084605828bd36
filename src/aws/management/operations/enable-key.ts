import { type KeyInput, keyChange, type Nothing } from "../key-change.ts";
import { refuseStates } from "../managed-key.ts";

export const enableKey = keyChange<KeyInput, Nothing>({
  action: "EnableKey",
  decide(observed) {
    refuseStates(observed, "Disabled");
    return observed.masterKey.spec.enabled ? undefined : { enabled: true };
  },
  isShown: ({ state }) => state !== "Disabled",
  answer: () => ({}),
});
