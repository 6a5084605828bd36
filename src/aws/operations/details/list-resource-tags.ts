import type { Operation } from "../operation.ts";
import { type PageInput, pageOf } from "../paging.ts";

interface Input extends PageInput {
  readonly KeyId: string;
}

interface Output {
  readonly Tags: readonly { readonly TagKey: string; readonly TagValue: string }[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

const PAGE = 50;

export const listResourceTags: Operation<Input, Output> = {
  needs: ({ input: { KeyId }, caller }, keys) => [
    { action: "ListResourceTags", key: keys.find(KeyId, caller) },
  ],
  prepare({ input, caller }, keys) {
    const { tags } = keys.details(keys.find(input.KeyId, caller));
    const { entries, rest } = pageOf(Object.entries(tags), ([name]) => name, input, PAGE);
    return () => ({ Tags: entries.map(([TagKey, TagValue]) => ({ TagKey, TagValue })), ...rest });
  },
};
