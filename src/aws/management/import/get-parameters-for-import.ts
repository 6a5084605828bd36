import { createPublicKey, randomUUID } from "node:crypto";
import { WRAPPING_ALGORITHMS, WRAPPING_KEY_SPECS } from "../../../crypto/import-wrapping.ts";
import { timeOf } from "../../../times.ts";
import { AwsError } from "../../aws-error.ts";
import type { Operation } from "../../operations/operation.ts";
import { findById } from "../managed-key.ts";
import type { ManagedObjects } from "../managed-objects.ts";
import { makeDoorToken } from "./door-token.ts";
import { waitForImport, writeImport } from "./import-key.ts";

interface Input {
  readonly KeyId: string;
  readonly WrappingAlgorithm: string;
  readonly WrappingKeySpec: string;
}

interface Output {
  readonly KeyId: string;
  readonly ImportToken: Buffer;
  readonly PublicKey: Buffer;
  readonly ParametersValidTo: Date;
}

/** Asks the operator for a public key and a token, by spec.import. */
export const getParametersForImport = (objects: ManagedObjects): Operation<Input, Output> => ({
  needs: ({ input, caller }, keys) => [
    { action: "GetParametersForImport", key: findById(keys, input.KeyId, caller) },
  ],
  prepare(request, keys) {
    const { input, caller } = request;
    const algorithm = served(WRAPPING_ALGORITHMS, input.WrappingAlgorithm);
    const wrappingKeySpec = served(WRAPPING_KEY_SPECS, input.WrappingKeySpec);
    const target = { objects, request, key: findById(keys, input.KeyId, caller), keys };
    return async () => {
      const requestToken = randomUUID();
      await writeImport(target, { requestToken, wrappingKeySpec });
      const { arn, masterKey } = await waitForImport(
        target,
        ({ status }) => status?.import?.requestToken === requestToken,
      );
      const { publicKey = "", importToken: token = "", validTo = "" } = masterKey.status?.import ?? {};
      return {
        KeyId: arn,
        ImportToken: makeDoorToken({ algorithm, token }),
        PublicKey: createPublicKey(publicKey).export({ type: "spki", format: "der" }),
        ParametersValidTo: new Date(timeOf(validTo)),
      };
    };
  },
});

function served<T extends string>(all: readonly T[], name: string): T {
  const found = all.find((candidate) => candidate === name);
  if (found !== undefined) return found;
  throw new AwsError(
    "UnsupportedOperationException",
    `claviger does not support ${name}: use ${all.join(", ")}.`,
  );
}
