import { type KeyInput, keyChange, type Nothing } from "../key-change.ts";
import { NOT_PENDING_DELETION, refuseStates } from "../managed-key.ts";
import { refuseReserved, refuseTooMany, type Tag, tagsOf } from "./tags.ts";

interface TagInput extends KeyInput {
  readonly Tags: readonly Tag[];
}

interface UntagInput extends KeyInput {
  readonly TagKeys: readonly string[];
}

export const tagResource = keyChange<TagInput, Nothing>({
  action: "TagResource",
  decide(observed, { Tags }) {
    const tags = tagsOf(Tags);
    refuseStates(observed, ...NOT_PENDING_DELETION);
    refuseTooMany({ ...observed.masterKey.spec.tags, ...tags });
    return { tags };
  },
  isShown: ({ details }, { Tags }) =>
    Tags.every(({ TagKey, TagValue }) => details !== undefined && tagIn(details.tags, TagKey) === TagValue),
  answer: () => ({}),
});

const tagIn = (tags: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(tags, name) ? tags[name] : undefined;

export const untagResource = keyChange<UntagInput, Nothing>({
  action: "UntagResource",
  decide(observed, { TagKeys }) {
    refuseReserved(TagKeys);
    refuseStates(observed, ...NOT_PENDING_DELETION);
    const present = TagKeys.filter((name) => Object.hasOwn(observed.masterKey.spec.tags, name));
    if (present.length === 0) return undefined;
    return { tags: Object.fromEntries(present.map((name) => [name, null])) };
  },
  isShown: ({ details }, { TagKeys }) =>
    TagKeys.every((name) => details !== undefined && tagIn(details.tags, name) === undefined),
  answer: () => ({}),
});
