import type { Operation } from "../operations/operation.ts";
import { putKeyPolicy } from "../policies/operations/put-key-policy.ts";
import { deleteImportedKeyMaterial } from "./import/delete-imported-key-material.ts";
import { getParametersForImport } from "./import/get-parameters-for-import.ts";
import { importKeyMaterial } from "./import/import-key-material.ts";
import type { ManagedObjects } from "./managed-objects.ts";
import { cancelKeyDeletion } from "./operations/cancel-key-deletion.ts";
import { createAlias } from "./operations/create-alias.ts";
import { createKey } from "./operations/create-key.ts";
import { deleteAlias } from "./operations/delete-alias.ts";
import { disableKey } from "./operations/disable-key.ts";
import { enableKey } from "./operations/enable-key.ts";
import { disableKeyRotation, enableKeyRotation } from "./operations/key-rotation.ts";
import { rotateKeyOnDemand } from "./operations/rotate-key-on-demand.ts";
import { scheduleKeyDeletion } from "./operations/schedule-key-deletion.ts";
import { tagResource, untagResource } from "./operations/tag-resource.ts";
import { updateAlias } from "./operations/update-alias.ts";
import { updateKeyDescription } from "./operations/update-key-description.ts";

type AnyOperation = Operation<object, object>;

/** The operations that change custom resources, by the names of the service model. */
const OPERATIONS = new Map<string, (objects: ManagedObjects) => unknown>(
  Object.entries({
    CancelKeyDeletion: cancelKeyDeletion,
    CreateAlias: createAlias,
    CreateKey: createKey,
    DeleteAlias: deleteAlias,
    DeleteImportedKeyMaterial: deleteImportedKeyMaterial,
    DisableKey: disableKey,
    DisableKeyRotation: disableKeyRotation,
    EnableKey: enableKey,
    EnableKeyRotation: enableKeyRotation,
    GetParametersForImport: getParametersForImport,
    ImportKeyMaterial: importKeyMaterial,
    PutKeyPolicy: putKeyPolicy,
    RotateKeyOnDemand: rotateKeyOnDemand,
    ScheduleKeyDeletion: scheduleKeyDeletion,
    TagResource: tagResource,
    UntagResource: untagResource,
    UpdateAlias: updateAlias,
    UpdateKeyDescription: updateKeyDescription,
  }),
);

/** Returns the operations over these custom resources, by name. */
export const managementOperations = (objects: ManagedObjects): ReadonlyMap<string, AnyOperation> =>
  // The service model has validated the input of each.
  new Map([...OPERATIONS].map(([name, make]) => [name, make(objects) as AnyOperation]));
