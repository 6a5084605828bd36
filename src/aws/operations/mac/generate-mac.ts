import { makeMac } from "../../../crypto/mac.ts";
import type { Operation } from "../operation.ts";
import { type MacInput, macKey } from "./mac-key.ts";

interface Output {
  readonly Mac: Buffer;
  readonly MacAlgorithm: string;
  readonly KeyId: string;
}

export const generateMac: Operation<MacInput, Output> = {
  needs: ({ input, caller }, keys) => [{ action: "GenerateMac", key: keys.find(input.KeyId, caller) }],
  prepare(request, keys) {
    const { Message, MacAlgorithm } = request.input;
    const { version, arn } = macKey(request, keys);
    return async () => ({
      Mac: makeMac(MacAlgorithm, await keys.material(version), Message),
      MacAlgorithm,
      KeyId: arn,
    });
  },
};
