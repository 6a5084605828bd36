import type { ImportSpec } from "../../../resources/schemas/import.ts";
import { DAY_MILLISECONDS, rfc3339 } from "../../../times.ts";
import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../../operations/operation.ts";
import { findById } from "../managed-key.ts";
import type { ManagedObjects } from "../managed-objects.ts";
import { until } from "../until.ts";
import { readDoorToken } from "./door-token.ts";
import { type ImportTarget, processImport, refusalOf } from "./import-key.ts";

interface Input {
  readonly KeyId: string;
  readonly ImportToken: Buffer;
  readonly EncryptedKeyMaterial: Buffer;
  readonly ValidTo?: Date;
  readonly ExpirationModel?: ImportSpec["expirationModel"];
  readonly ImportType?: NonNullable<ImportSpec["importType"]>;
  readonly KeyMaterialDescription?: string;
  readonly KeyMaterialId?: string;
}

interface Output {
  readonly KeyId: string;
  readonly KeyMaterialId: string;
}

/** Offers material to the operator by spec.import, waits for its verdict, and takes the offer out again. */
export const importKeyMaterial = (objects: ManagedObjects): Operation<Input, Output> => ({
  needs: ({ input, caller }, keys) => [
    { action: "ImportKeyMaterial", key: findById(keys, input.KeyId, caller) },
  ],
  prepare(request, keys) {
    const { input, caller, now } = request;
    const offer = offerOf(input, now);
    const target = { objects, request, key: findById(keys, input.KeyId, caller), keys };
    return () => offered(target, offer);
  },
});

/** AWS KMS's limit. */
const MAX_VALIDITY_MILLISECONDS = 365 * DAY_MILLISECONDS;

function offerOf(input: Input, now: number): Partial<ImportSpec> {
  refuseUnsupported(input);
  const { algorithm: wrappingAlgorithm, token: importToken } = readDoorToken(input.ImportToken);
  const { ImportType: importType, ExpirationModel: expirationModel = "KEY_MATERIAL_EXPIRES" } = input;
  const validTo = validToOf(input.ValidTo, expirationModel, now);
  return {
    wrappedMaterial: input.EncryptedKeyMaterial.toString("base64"),
    ...{ wrappingAlgorithm, importToken, expirationModel },
    ...(importType !== undefined && { importType }),
    ...(validTo !== undefined && { validTo }),
  };
}

function refuseUnsupported(input: Input): void {
  const member = (["KeyMaterialDescription", "KeyMaterialId"] as const).find(
    (name) => input[name] !== undefined,
  );
  if (member !== undefined)
    throw new AwsError("UnsupportedOperationException", `claviger does not support ${member}: leave it out.`);
}

function validToOf(
  validTo: Date | undefined,
  expirationModel: ImportSpec["expirationModel"],
  now: number,
): string | undefined {
  const expires = expirationModel === "KEY_MATERIAL_EXPIRES";
  if (expires !== (validTo !== undefined))
    throw new AwsError(
      "ValidationException",
      "ValidTo goes with ExpirationModel KEY_MATERIAL_EXPIRES, and with no other.",
    );
  if (validTo === undefined) return undefined;
  const ahead = validTo.getTime() - now;
  if (!(ahead > 0 && ahead <= MAX_VALIDITY_MILLISECONDS))
    throw new AwsError("ValidationException", "ValidTo must be in the future, by at most 365 days.");
  return rfc3339(validTo);
}

async function offered(target: ImportTarget, offer: Partial<ImportSpec>): Promise<Output> {
  const { arn, masterKey } = await processImport(target, offer);
  const { number, materialId } = masterKey.status?.import?.processed ?? {};
  if (number === undefined || materialId === undefined) throw refusalOf(masterKey);
  await waitUntilUsed(target, materialId);
  return { KeyId: arn, KeyMaterialId: materialId };
}

/** The first material makes the key Enabled; the caller's next request finds it so. */
async function waitUntilUsed({ key, keys }: ImportTarget, materialId: string): Promise<void> {
  const isUsed = () => {
    keys.freshen();
    const row = keys.withId(key.keyId);
    const current = row && keys.current(row);
    return (
      current !== undefined && (current.materialId !== materialId || !keys.isExpired(current, Date.now()))
    );
  };
  await until(isUsed);
}
