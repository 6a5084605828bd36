import { type KeyInput, keyChange, type Nothing } from "../key-change.ts";
import { refuseStates } from "../managed-key.ts";

export const disableKey = keyChange<KeyInput, Nothing>({
  action: "DisableKey",
  decide(observed) {
    refuseStates(observed, "Disabled");
    return observed.masterKey.spec.enabled ? { enabled: false } : undefined;
  },
  isShown: ({ state }) => state !== "Enabled",
  answer: () => ({}),
});
