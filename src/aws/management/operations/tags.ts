import { AwsError } from "../../aws-error.ts";

/** A tag of the service model. */
export interface Tag {
  readonly TagKey: string;
  readonly TagValue: string;
}

/** AWS KMS's limits. */
const MOST_TAGS = 50;

/** Returns tags by name. Throws TagException for a name that occurs twice or that nobody may use. */
export function tagsOf(list: readonly Tag[]): Readonly<Record<string, string>> {
  const tags = new Map(list.map(({ TagKey, TagValue }) => [TagKey, TagValue]));
  if (tags.size < list.length) throw new AwsError("TagException", "Two tags have the same TagKey.");
  refuseReserved([...tags.keys()]);
  return Object.fromEntries(tags);
}

/** Throws TagException for a name that begins with aws:, in any case. */
export function refuseReserved(names: readonly string[]): void {
  if (!names.some((name) => /^aws:/i.test(name))) return;
  throw new AwsError("TagException", "A TagKey that begins with aws: is reserved.");
}

/** Throws LimitExceededException if a key would have more tags than AWS KMS allows. */
export function refuseTooMany(tags: Readonly<Record<string, string>>): void {
  if (Object.keys(tags).length <= MOST_TAGS) return;
  throw new AwsError("LimitExceededException", `A key has at most ${MOST_TAGS} tags.`);
}
