import { findById } from "../../management/managed-key.ts";
import type { Operation } from "../../operations/operation.ts";
import { type PageInput, pageOf } from "../../operations/paging.ts";
import { POLICY_NAME } from "../aws-policies.ts";

interface Input extends PageInput {
  readonly KeyId: string;
}

interface Output {
  readonly PolicyNames: readonly string[];
  readonly Truncated: boolean;
  readonly NextMarker?: string;
}

const PAGE = 100;

export const listKeyPolicies: Operation<Input, Output> = {
  needs: ({ input, caller }, keys) => [
    { action: "ListKeyPolicies", key: findById(keys, input.KeyId, caller) },
  ],
  prepare({ input, caller }, keys) {
    findById(keys, input.KeyId, caller);
    const { entries, rest } = pageOf([POLICY_NAME], (name) => name, input, PAGE);
    return () => ({ PolicyNames: entries, ...rest });
  },
};
