import { randomUUID } from "node:crypto";
import type { KeyRow } from "../../../keyring/rows.ts";
import { nameText } from "../../../names.ts";
import { printable } from "../../../printable.ts";
import { conditionOf } from "../../../resources/conditions.ts";
import type { MasterKey } from "../../../resources/resources.ts";
import { type ImportSpec, importPatch } from "../../../resources/schemas/import.ts";
import { AwsError, type AwsErrorType } from "../../aws-error.ts";
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

/** Throws UnsupportedOperationException for a key whose material is not imported. */
export function refuseOtherOrigins({ masterKey, arn }: ObservedKey): void {
  if (masterKey.spec.origin === "EXTERNAL") return;
  throw new AwsError(
    "UnsupportedOperationException",
    `${arn} origin is AWS_KMS which is not valid for this operation.`,
  );
}

/** Throws AwsError unless material can be imported into the key now. */
export function refuseOtherThanImported(observed: ObservedKey): void {
  refuseOtherOrigins(observed);
  refuseStates(observed, ...NOT_PENDING_DELETION);
}

/** Replaces spec.import as a whole. `refuse` throws AwsError if the key does not allow the change. */
export const writeImport = (
  { objects, ...asked }: ImportTarget,
  spec: Partial<ImportSpec>,
  refuse: (observed: ObservedKey) => void = refuseOtherThanImported,
): Promise<unknown> =>
  apply(objects, asked, (observed) => {
    refuse(observed);
    return { import: importPatch(spec) };
  });

/**
 * Writes spec.import, waits until the operator has accepted or refused it, and takes it out again. Returns the
 * MasterKey with the verdict. Throws DependencyTimeoutException if there is none in time. If spec.import cannot
 * be taken out, the operator may still carry it out later: the error says so. If this process is killed before
 * it takes spec.import out, nobody says so.
 */
export async function processImport(
  target: ImportTarget,
  spec: Partial<ImportSpec>,
  refuse?: (observed: ObservedKey) => void,
): Promise<ObservedKey> {
  const requestToken = randomUUID();
  await writeImport(target, { ...spec, requestToken }, refuse);
  const [verdict] = await Promise.allSettled([waitForImport(target, isProcessed(requestToken))]);
  const [removal] = await Promise.allSettled([takeOutImport(target, requestToken)]);
  if (removal.status === "rejected") throw leftBehind(target, verdict, removal.reason);
  if (verdict.status === "rejected") throw verdict.reason;
  return verdict.value;
}

/** Returns the error for a spec.import that could not be taken out. The log has the cause of errors of claviger's. */
function leftBehind(
  { key, keys }: ImportTarget,
  verdict: PromiseSettledResult<unknown>,
  cause: unknown,
): AwsError {
  const why = cause instanceof AwsError ? cause.message : "its MasterKey could not be read or written";
  const left = `spec.import of MasterKey ${nameText(key)} could not be removed (${why})`;
  if (verdict.status === "fulfilled") {
    const message = `The change of the material of ${keys.arn(key)} was processed, and ${left}: remove it.`;
    return new AwsError("DependencyTimeoutException", message, { cause });
  }
  const { reason } = verdict;
  const [type, first]: [AwsErrorType, string] =
    reason instanceof AwsError
      ? [reason.type, reason.message]
      : [
          "DependencyTimeoutException",
          `Nobody knows whether the change of the material of ${keys.arn(key)} is made.`,
        ];
  return new AwsError(type, `${first} And ${left}: remove it, or the change may be made later.`, { cause });
}

const isProcessed =
  (requestToken: string) =>
  ({ status }: MasterKey): boolean =>
    status?.import?.processed?.requestToken === requestToken;

/** Removes spec.import if it still belongs to this request. */
const takeOutImport = ({ objects, ...asked }: ImportTarget, requestToken: string): Promise<unknown> =>
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
    `The change of the material of ${observed.arn} is not finished: see the condition Imported of its MasterKey, and whether an operator leads.`,
  );
}

/** Reasons of the condition Imported. */
const REFUSALS: ReadonlyMap<string, AwsErrorType> = new Map([
  ["ExpiredImportToken", "ExpiredImportTokenException"],
  ["IncorrectKeyMaterial", "IncorrectKeyMaterialException"],
  ["InvalidCiphertext", "InvalidCiphertextException"],
  ["InvalidImportToken", "InvalidImportTokenException"],
  ["InvalidImportType", "ValidationException"],
  ["InvalidValidTo", "ValidationException"],
  ["MaterialNotFound", "NotFoundException"],
]);

/** Returns the error for a change of the material that the operator refused. */
export function refusalOf({ status }: MasterKey): AwsError {
  const imported = conditionOf(status?.conditions, "Imported");
  const type = REFUSALS.get(imported?.reason ?? "") ?? "KMSInvalidStateException";
  return new AwsError(type, printable(imported?.message ?? "The material was refused.", 1024));
}
