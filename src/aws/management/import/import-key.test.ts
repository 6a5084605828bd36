import { expect, it } from "vitest";
import type { ImportSpec } from "../../../resources/schemas/import.ts";
import { ALICE } from "../../../testing/aws-keyring.ts";
import { keyId, keyRow, masterKey } from "../../../testing/objects.ts";
import { AwsError } from "../../aws-error.ts";
import type { AwsKeys } from "../../keys/aws-keys.ts";
import type { ManagedObjects } from "../managed-objects.ts";
import { processImport } from "./import-key.ts";

const DELETION = { deleteMaterialId: "d".repeat(64) };
const DENIED = new AwsError("AccessDeniedException", 'User "alice" cannot patch resource "masterkeys"');

/** Sends a deletion to an API server that loses what it needs after the first write. */
function process(operator: "processes it" | "is away", afterwards: Error) {
  let written: ImportSpec | undefined;
  const status = () => ({
    ...{ keyId: keyId(1), keyState: "Enabled" as const },
    ...(operator === "processes it" && {
      import: { processed: { digest: "", requestToken: written?.requestToken ?? "" } },
    }),
  });
  const objects = {
    read: async () => {
      if (written !== undefined && operator === "is away") throw afterwards;
      const spec = { origin: "EXTERNAL" as const, ...(written && { import: written }) };
      return masterKey({ spec, status: status() });
    },
    change: async (_: unknown, __: unknown, patch: { readonly import: ImportSpec | null }) => {
      if (patch.import === null) throw afterwards;
      written = patch.import;
    },
  } as unknown as ManagedObjects;
  const keys = { arn: () => "arn:aws:kms:::key/1" } as unknown as AwsKeys;
  const request = { id: "1", caller: ALICE, input: { KeyId: keyId(1) }, now: Date.now() };
  return processImport({ objects, keys, request, key: keyRow() }, DELETION);
}

it("the caller loses the right to patch while the operator works => the answer says that spec.import is left behind", async () => {
  await expect(process("processes it", DENIED)).rejects.toMatchObject({
    type: "DependencyTimeoutException",
    message: `The change of the material of arn:aws:kms:::key/1 was processed, and spec.import of MasterKey apps/secrets could not be removed (${DENIED.message}): remove it.`,
  });
});

it("the API server goes away => the answer says that the change may be made later, and no internal error's text", async () => {
  await expect(process("is away", new Error("connect ECONNREFUSED"))).rejects.toMatchObject({
    type: "DependencyTimeoutException",
    message:
      "Nobody knows whether the change of the material of arn:aws:kms:::key/1 is made. And spec.import of MasterKey apps/secrets could not be removed (its MasterKey could not be read or written): remove it, or the change may be made later.",
  });
});

it("the caller loses the right to read too => the answer has the first refusal and what is left behind", async () => {
  await expect(process("is away", DENIED)).rejects.toMatchObject({
    type: "AccessDeniedException",
    message: expect.stringMatching(
      /^User "alice" cannot patch .* And spec\.import of MasterKey apps\/secrets /,
    ),
  });
});
