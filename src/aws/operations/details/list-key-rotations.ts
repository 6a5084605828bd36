import { mayRotate } from "../../../crypto/key-specs.ts";
import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../operation.ts";
import { type PageInput, pageOf } from "../paging.ts";
import { type RotatedVersion, type RotationEntry, rotatedVersions, rotationEntry } from "./rotations.ts";

interface Input extends PageInput {
  readonly KeyId: string;
  readonly IncludeKeyMaterial?: string;
}

interface Output {
  readonly Rotations: readonly RotationEntry[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

const PAGE = 100;

/** A text that sorts as the versions of a key do. */
const nameOf = ({ version: { number, versionId } }: RotatedVersion): string =>
  `${String(number).padStart(16, "0")} ${versionId}`;

export const listKeyRotations: Operation<Input, Output> = {
  needs: ({ input: { KeyId }, caller }, keys) => [
    { action: "ListKeyRotations", key: keys.find(KeyId, caller) },
  ],
  prepare({ input, caller, now }, keys) {
    const key = keys.find(input.KeyId, caller);
    const { keySpec } = keys.current(key) ?? keys.details(key);
    if (!mayRotate(keySpec))
      throw new AwsError(
        "UnsupportedOperationException",
        `${keys.arn(key)} is of key spec ${keySpec}, and keys of this spec do not rotate.`,
      );
    const all = rotatedVersions(key, input.IncludeKeyMaterial === "ALL_KEY_MATERIAL", keys);
    const { entries, rest } = pageOf(all, nameOf, input, PAGE);
    return async () => ({
      Rotations: await Promise.all(entries.map((entry) => rotationEntry(entry, keys, now))),
      ...rest,
    });
  },
};
