import { randomBytes } from "node:crypto";
import { AwsError } from "../aws-error.ts";
import type { Operation } from "./operation.ts";

interface Input {
  readonly NumberOfBytes?: number;
}

interface Output {
  readonly Plaintext: Buffer;
}

export const generateRandom: Operation<Input, Output> = {
  needs: () => [{ action: "GenerateRandom" }],
  prepare({ input: { NumberOfBytes } }) {
    if (NumberOfBytes === undefined) throw new AwsError("ValidationException", "NumberOfBytes is required.");
    return () => ({ Plaintext: randomBytes(NumberOfBytes) });
  },
};
