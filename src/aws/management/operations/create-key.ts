import { randomBytes } from "node:crypto";
import { DEFAULT_KEY_SPEC, KEY_SPECS, type KeySpec, mayHaveUsage } from "../../../crypto/key-specs.ts";
import type { AwsSite } from "../../../keys/arn.ts";
import type { ObjectName } from "../../../names.ts";
import { AwsError } from "../../aws-error.ts";
import type { Caller } from "../../caller.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import type { KeyMetadata } from "../../keys/key-metadata.ts";
import type { Operation, Request } from "../../operations/operation.ts";
import { readGivenPolicy, refuseLockout } from "../../policies/given-policy.ts";
import { judgeNewKey } from "../../policies/policy-word.ts";
import type { ManagedObjects } from "../managed-objects.ts";
import { until } from "../until.ts";
import { createdMetadata } from "./created-metadata.ts";
import { refuseTooMany, type Tag, tagsOf } from "./tags.ts";

interface Input {
  readonly Description?: string;
  readonly KeySpec?: string;
  readonly CustomerMasterKeySpec?: string;
  readonly KeyUsage?: string;
  readonly Origin?: string;
  readonly MultiRegion?: boolean;
  readonly Policy?: string;
  readonly BypassPolicyLockoutSafetyCheck?: boolean;
  readonly Tags?: readonly Tag[];
}

interface Output {
  readonly KeyMetadata: KeyMetadata;
}

/** Creates a MasterKey in the caller's namespace, and waits until its first version encrypts. */
export const createKey = (objects: ManagedObjects): Operation<Input, Output> => ({
  needs: ({ input }) => [
    { action: "CreateKey" },
    ...((input.Tags?.length ?? 0) > 0 ? [{ action: "TagResource" } as const] : []),
  ],
  prepare(request, keys) {
    const { input, caller } = request;
    const spec = { ...specOf(input), ...policyOf(request, keys.site) };
    return async () => {
      const name = await create(objects, caller, spec);
      await waitForKey(objects, name, keys);
      const masterKey = await objects.read("MasterKey", name);
      const row = keys.named(name);
      if (masterKey === undefined || row === undefined) throw late(name);
      return { KeyMetadata: await createdMetadata(masterKey, row, keys) };
    };
  },
});

function specOf(input: Input) {
  refuseUnsupported(input);
  const keySpec = keySpecOf(input);
  const tags = tagsOf(input.Tags ?? []);
  refuseTooMany(tags);
  const { Description: description, Origin: origin = "AWS_KMS", KeyUsage = "ENCRYPT_DECRYPT" } = input;
  if (keySpec === DEFAULT_KEY_SPEC) usageFor(keySpec, KeyUsage);
  return {
    ...(description !== undefined && { description }),
    ...(keySpec !== DEFAULT_KEY_SPEC && { keySpec }),
    ...(keySpec !== DEFAULT_KEY_SPEC && { keyUsage: usageFor(keySpec, input.KeyUsage) }),
    ...(origin !== "AWS_KMS" && { origin }),
    ...(Object.keys(tags).length > 0 && { tags }),
  };
}

/** Returns spec.policy, if the request brings one. Throws MalformedPolicyDocumentException or LimitExceededException. */
function policyOf({ input, caller }: Request<Input>, site: AwsSite) {
  const { Policy: text, BypassPolicyLockoutSafetyCheck: isBypassed = false } = input;
  if (text === undefined) return {};
  const { document, policy } = readGivenPolicy(text, site.account);
  if (!isBypassed) refuseLockout(judgeNewKey(policy, caller, site));
  return { policy: document };
}

function refuseUnsupported({ MultiRegion, Origin = "AWS_KMS" }: Input): void {
  const member =
    (MultiRegion === true && "MultiRegion") ||
    (Origin !== "AWS_KMS" && Origin !== "EXTERNAL" && `Origin ${Origin}`);
  if (member !== false)
    throw new AwsError("UnsupportedOperationException", `claviger does not support ${member}: leave it out.`);
}

function keySpecOf({ KeySpec, CustomerMasterKeySpec }: Input): KeySpec {
  if (KeySpec !== undefined && CustomerMasterKeySpec !== undefined)
    throw new AwsError(
      "ValidationException",
      "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.",
    );
  const name = KeySpec ?? CustomerMasterKeySpec ?? DEFAULT_KEY_SPEC;
  const spec = KEY_SPECS.find((candidate) => candidate === name);
  if (spec === undefined)
    throw new AwsError("UnsupportedOperationException", `claviger has no keys of spec ${name} yet.`);
  return spec;
}

function usageFor(keySpec: KeySpec, usage = ""): string {
  if (usage === "") throw new AwsError("ValidationException", `KeyUsage is required for KeySpec ${keySpec}.`);
  if (mayHaveUsage(keySpec, usage)) return usage;
  throw new AwsError("ValidationException", `KeyUsage ${usage} is not compatible with KeySpec ${keySpec}`);
}

/** A name that is taken is very rare: eight hex digits are random. */
const MOST_NAMES = 3;

async function create(
  objects: ManagedObjects,
  caller: Caller,
  spec: Readonly<Record<string, unknown>>,
): Promise<ObjectName> {
  for (let attempt = 1; ; attempt += 1) {
    const name = { namespace: caller.namespace, name: `key-${randomBytes(4).toString("hex")}` };
    try {
      await objects.create(caller, "MasterKey", name, spec);
      return name;
    } catch (error) {
      const isTaken = error instanceof AwsError && error.type === "AlreadyExistsException";
      if (!isTaken || attempt >= MOST_NAMES) throw error;
    }
  }
}

/** Waits until the key can be used. A key of origin EXTERNAL only gets its id. */
async function waitForKey(objects: ManagedObjects, name: ObjectName, keys: AwsKeys): Promise<void> {
  await until(async () => {
    keys.freshen();
    const row = keys.named(name);
    if (row === undefined) return false;
    if (keys.recorded(row) === undefined) return false;
    if (keys.current(row) !== undefined) return true;
    return (await objects.read("MasterKey", name))?.status?.keyState === "PendingImport";
  });
}

const late = ({ namespace, name }: ObjectName): AwsError =>
  new AwsError(
    "DependencyTimeoutException",
    `MasterKey ${namespace}/${name} was created and has no key id yet: its conditions say why. Another request creates another key.`,
  );
