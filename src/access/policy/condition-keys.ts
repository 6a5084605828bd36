/** The type of a condition key's values: it says which operators the key may have. */
export type ValueType = "string" | "number" | "date" | "boolean" | "ip" | "arn";

/** A condition key that a policy may use. */
export interface ConditionKey {
  readonly type: ValueType;
  /** True if a request can have several values: conditions then need ForAllValues or ForAnyValue. */
  readonly several: boolean;
}

const one = (type: ValueType): ConditionKey => ({ type, several: false });
const several = (type: ValueType): ConditionKey => ({ type, several: true });

/**
 * The condition keys, in lower case: IAM does not distinguish cases in them. Source: AWS KMS Developer Guide,
 * "Condition keys for AWS KMS", and IAM User Guide, "AWS global condition context keys". What this cluster cannot
 * know has no row, so that a policy with it is refused instead of never matching.
 */
const KEYS: Readonly<Record<string, ConditionKey>> = Object.freeze(
  Object.assign(Object.create(null), {
    "aws:currenttime": one("date"),
    "aws:principalarn": one("arn"),
    "aws:securetransport": one("boolean"),
    "aws:sourceip": one("ip"),
    "aws:tagkeys": several("string"),
    "kms:bypasspolicylockoutsafetycheck": one("boolean"),
    "kms:calleraccount": one("string"),
    "kms:encryptioncontextkeys": several("string"),
    "kms:grantconstrainttype": one("string"),
    "kms:grantisforawsresource": one("boolean"),
    "kms:grantoperations": several("string"),
    "kms:granteeprincipal": one("arn"),
    "kms:keyorigin": one("string"),
    "kms:keyspec": one("string"),
    "kms:keyusage": one("string"),
    "kms:policyname": one("string"),
    "kms:requestalias": one("string"),
    "kms:resourcealiases": several("string"),
    "kms:retiringprincipal": one("arn"),
    "kms:rotationperiodindays": one("number"),
    "kms:schedulekeydeletionpendingwindowindays": one("number"),
    "kms:viaservice": one("string"),
  }),
);

/** Keys that end in a name which the request chooses. */
const FAMILIES = ["kms:encryptioncontext:", "aws:requesttag/", "aws:resourcetag/", "aws:principaltag/"];

/** Returns the condition key of a name in any case, or undefined if policies cannot have it. */
export function conditionKey(name: string): ConditionKey | undefined {
  const lower = name.toLowerCase();
  const family = FAMILIES.find((prefix) => lower.startsWith(prefix) && lower.length > prefix.length);
  return family === undefined ? KEYS[lower] : one("string");
}

/**
 * Returns the name under which a request's values are kept. IAM does not distinguish cases in the names of condition
 * keys, so neither in those of tags and of the encryption context: names that differ in case only are one key with
 * several values. kms:EncryptionContextKeys distinguishes them.
 */
export const contextName = (name: string): string => name.toLowerCase();
