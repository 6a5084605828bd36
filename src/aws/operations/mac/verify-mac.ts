import { isMac } from "../../../crypto/mac.ts";
import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../operation.ts";
import { type MacInput, macKey } from "./mac-key.ts";

interface Input extends MacInput {
  readonly Mac: Buffer;
}

interface Output {
  readonly KeyId: string;
  readonly MacValid: true;
  readonly MacAlgorithm: string;
}

export const verifyMac: Operation<Input, Output> = {
  needs: ({ input, caller }, keys) => [{ action: "VerifyMac", key: keys.find(input.KeyId, caller) }],
  async prepare(request, keys) {
    const { Message, MacAlgorithm, Mac } = request.input;
    const { version, arn } = macKey(request, keys);
    if (!isMac(MacAlgorithm, await keys.material(version), Message, Mac)) throw invalidMac();
    return () => ({ KeyId: arn, MacValid: true, MacAlgorithm });
  },
};

const invalidMac = (): AwsError =>
  new AwsError("KMSInvalidMacException", "The MAC is not of this message, key and algorithm.");
