import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { grantIdOf } from "../../../access/grant-id.ts";
import { isInTime, isWithin } from "../../../access/grant-terms.ts";
import { type GrantRow, type GrantTerms, MOST_GRANTS_OF_KEY } from "../../../keyring/grant-row.ts";
import type { KeyRow } from "../../../keyring/rows.ts";
import { nameText } from "../../../names.ts";
import { objectName } from "../../../resources/object-text.ts";
import { AwsError } from "../../aws-error.ts";
import type { Caller } from "../../caller.ts";
import { findById } from "../../management/managed-key.ts";
import type { ManagedObjects } from "../../management/managed-objects.ts";
import type { DryRunInput, Operation, Request } from "../../operations/operation.ts";
import { awaitGrant } from "../await-grant.ts";
import type { AwsGrants } from "../aws-grants.ts";
import { refuseImpossible, type TermsInput, termsOf } from "../grant-terms.ts";
import { createOrFind, objectNameOf } from "../key-grant-object.ts";
import { keyGrantSpec } from "../key-grant-spec.ts";

interface Input extends TermsInput, DryRunInput {
  readonly KeyId: string;
  readonly Name?: string;
}

interface Output {
  readonly GrantId: string;
  readonly GrantToken: string;
}

/** Creates a KeyGrant as the caller. Its token is good at once, on every node. */
export const createGrant = (grants: AwsGrants, objects: ManagedObjects): Operation<Input, Output> => ({
  needs({ input, caller }, keys) {
    const key = findById(keys, input.KeyId, caller);
    return [{ action: "CreateGrant", key, proposed: termsOf(input, key, keys.site.account) }];
  },
  prepare(request, keys) {
    const { input, caller, now } = request;
    const key = findById(keys, input.KeyId, caller);
    const terms = termsOf(input, key, keys.site.account);
    refuseImpossible(terms, keys.usable(key, now));
    // Refuses a constraint that is too long before anything is created.
    grants.tokenOf({ ...terms, grantId: "00".repeat(32) }, now);
    return async () => {
      const grantId =
        existing(grants, terms, input.Name, now)?.grantId ??
        (await create(grants, objects, request, key, terms));
      return { GrantId: grantId, GrantToken: grants.tokenOf({ ...terms, grantId }, now) };
    };
  },
});

/** AWS KMS answers a repeated request with a Name by the grant that there is. */
function existing(
  grants: AwsGrants,
  terms: GrantTerms,
  name: string | undefined,
  now: number,
): GrantRow | undefined {
  if (name === undefined) return undefined;
  return [...grants.index.granted(terms.keyId, terms.granteePrincipal)].find(
    (row) => row.grantName === name && row.ended === undefined && isInTime(row, now) && isSame(row, terms),
  );
}

const isSame = (row: GrantRow, terms: GrantTerms): boolean =>
  isDeepStrictEqual(
    [row.retiringPrincipal, row.operations, row.constraint, row.expiresAt],
    [terms.retiringPrincipal, terms.operations, terms.constraint, terms.expiresAt],
  );

async function create(
  grants: AwsGrants,
  objects: ManagedObjects,
  { input, caller, now }: Request<Input>,
  key: KeyRow,
  terms: GrantTerms,
): Promise<string> {
  if (grants.index.hasAtLeast(key.keyId, MOST_GRANTS_OF_KEY, now))
    throw new AwsError(
      "LimitExceededException",
      `MasterKey ${nameText(key)} has ${MOST_GRANTS_OF_KEY} grants, which is the limit.`,
    );
  const parent = parentOf(grants, caller, terms, now);
  const spec = keyGrantSpec({ key, terms, caller, name: input.Name, parent: parent?.name });
  const name = input.Name === undefined ? undefined : repeatableName(input.Name, terms);
  const { object, isOwn } = await createOrFind(objects, caller, { namespace: key.namespace, name }, spec);
  const grantId = grantIdOf(object.metadata.uid);
  // The token is good without this wait. ListGrants, RevokeGrant and callers without the token are not.
  await awaitGrant(grants, objects, caller, { name: objectName(object), grantId, isOwn });
  return grantId;
}

/** Returns the name by which a request with a Name that is repeated elsewhere at the same time finds its object. */
const repeatableName = (name: string, terms: GrantTerms): string =>
  objectNameOf(
    createHash("sha256")
      .update(JSON.stringify([name, terms]))
      .digest(),
  );

/** The grant by which the caller may create this one, if there is one; otherwise RBAC has allowed it. */
const parentOf = (grants: AwsGrants, { arn }: Caller, terms: GrantTerms, now: number): GrantRow | undefined =>
  [...grants.index.granted(terms.keyId, arn)].find(
    (row) =>
      row.ended === undefined &&
      isInTime(row, now) &&
      row.operations.includes("CreateGrant") &&
      isWithin(terms, row),
  );
