import type { KeyRow } from "../../../keyring/rows.ts";
import type { MasterKey } from "../../../resources/resources.ts";
import { type ImportSpec, importPatch } from "../../../resources/schemas/import.ts";
import { AwsError } from "../../aws-error.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import type { Request } from "../../operations/operation.ts";
import { apply } from "../key-change.ts";
import { NOT_PENDING_DELETION, type ObservedKey, observeKey, refuseStates } from "../managed-key.ts";
import type { ManagedObjects } from "../managed-objects.ts";
import { until } from "../until.ts";

/** A key that material is imported into, and the request that does it. */
export interface ImportTarget {
  readonly objects: ManagedObjects;
  readonly request: Request<{ readonly KeyId: string }>;
  readonly key: KeyRow;
  readonly keys: AwsKeys;
}

/** The MasterKey is read again so often while the operator works: an RSA key takes it a second or more. */
const READ_MILLISECONDS = 200;
const MOST_MILLISECONDS = 30_000;

/** Throws AwsError unless material can be imported into the key now. */
export function refuseOtherThanImported(observed: ObservedKey): void {
  if (observed.masterKey.spec.origin !== "EXTERNAL")
    throw new AwsError(
      "UnsupportedOperationException",
      `${observed.arn} origin is AWS_KMS which is not valid for this operation.`,
    );
  refuseStates(observed, ...NOT_PENDING_DELETION);
}

/** Replaces spec.import as a whole. */
export const writeImport = ({ objects, ...asked }: ImportTarget, spec: Partial<ImportSpec>): Promise<void> =>
  apply(objects, asked, (observed) => {
    refuseOtherThanImported(observed);
    return { import: importPatch(spec) };
  });

/** Removes spec.import if it still belongs to this request. */
export const takeOutImport = ({ objects, ...asked }: ImportTarget, requestToken: string): Promise<void> =>
  apply(objects, asked, ({ masterKey }) =>
    masterKey.spec.import?.requestToken === requestToken ? { import: null } : undefined,
  );

/** Returns the MasterKey once its status has what is looked for. Throws DependencyTimeoutException. */
export async function waitForImport(
  { objects, key, keys }: ImportTarget,
  holds: (masterKey: MasterKey) => boolean,
): Promise<ObservedKey> {
  let observed = await observeKey(objects, key, keys);
  const look = async () => {
    observed = await observeKey(objects, key, keys);
    return holds(observed.masterKey);
  };
  if (await until(look, MOST_MILLISECONDS, READ_MILLISECONDS)) return observed;
  throw new AwsError(
    "DependencyTimeoutException",
    `The import into ${observed.arn} is not finished: see the condition Imported of its MasterKey, and whether an operator leads.`,
  );
}
