import type { AwsKeys } from "../keys/aws-keys.ts";
import { type KeyMetadata, keyMetadata } from "../keys/key-metadata.ts";
import type { Operation } from "./operation.ts";

interface Input {
  readonly KeyId: string;
}

interface Output {
  readonly KeyMetadata: KeyMetadata;
}

export const describeKey: Operation<Input, Output> = {
  needs: ({ input: { KeyId }, caller }, keys) => [{ action: "DescribeKey", key: keys.find(KeyId, caller) }],
  prepare({ input: { KeyId }, caller, now }, keys: AwsKeys) {
    const key = keys.find(KeyId, caller);
    return async () => ({ KeyMetadata: await keyMetadata(key, keys, now) });
  },
};
