import type { KeyRow, VersionRow } from "../../../keyring/rows.ts";
import { printable } from "../../../printable.ts";
import { AwsError } from "../../aws-error.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import type { Operation } from "../../operations/operation.ts";
import { findById, observeKey } from "../managed-key.ts";
import type { ManagedObjects } from "../managed-objects.ts";
import { until } from "../until.ts";
import { type ImportTarget, processImport, refusalOf, refuseOtherOrigins } from "./import-key.ts";

interface Input {
  readonly KeyId: string;
  readonly KeyMaterialId?: string;
}

interface Output {
  readonly KeyId: string;
  /** Left out if the key has no material yet. */
  readonly KeyMaterialId?: string;
}

/**
 * Ends the use of imported material by spec.import. Like AWS KMS it allows any state of the key. The operator
 * refuses a key that an API server uses.
 */
export const deleteImportedKeyMaterial = (objects: ManagedObjects): Operation<Input, Output> => ({
  needs: ({ input, caller }, keys) => [
    { action: "DeleteImportedKeyMaterial", key: findById(keys, input.KeyId, caller) },
  ],
  prepare(request, keys) {
    const { input, caller } = request;
    const target = { objects, request, key: findById(keys, input.KeyId, caller), keys };
    return () => deleted(target, input.KeyMaterialId);
  },
});

async function deleted(target: ImportTarget, given: string | undefined): Promise<Output> {
  const { objects, request, key, keys } = target;
  const observed = await observeKey(objects, key, keys);
  refuseOtherOrigins(observed);
  const { arn } = observed;
  const materialId = given ?? keys.current(key)?.materialId;
  if (materialId === undefined) return { KeyId: arn };
  const version = versionWith(materialId, key, keys) ?? notFound(materialId, arn);
  if (!keys.isExpired(version, request.now)) await deleteMaterial(target, materialId);
  return { KeyId: arn, KeyMaterialId: materialId };
}

async function deleteMaterial(target: ImportTarget, materialId: string): Promise<void> {
  const { objects, key, keys } = target;
  // As in AWS KMS, the caller vouches that nothing needs the material: there is nothing to count.
  const vouched = objects.standalone && { withoutCensus: true };
  const spec = { deleteMaterialId: materialId, ...vouched };
  const { arn, masterKey } = await processImport(target, spec, refuseOtherOrigins);
  if (masterKey.status?.import?.processed?.number === undefined) throw refusalOf(masterKey);
  if (!(await until(() => isDeleted(materialId, key, keys)))) throw late(arn);
}

function isDeleted(materialId: string, key: KeyRow, keys: AwsKeys): boolean {
  keys.freshen();
  const version = versionWith(materialId, key, keys);
  return version === undefined || keys.isExpired(keys.inMemory(version), Date.now());
}

const versionWith = (materialId: string, key: KeyRow, keys: AwsKeys): VersionRow | undefined =>
  keys.versions(key).find(({ version }) => version.materialId === materialId)?.version;

function notFound(materialId: string, arn: string): never {
  throw new AwsError(
    "NotFoundException",
    `Key material ${printable(materialId, 64)} of ${arn} is not found.`,
  );
}

const late = (arn: string): AwsError =>
  new AwsError(
    "DependencyTimeoutException",
    `The material of ${arn} is deleted, and this node uses it yet: see whether the operator of this node runs.`,
  );
