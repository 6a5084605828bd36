import { GrantIndex } from "../../access/grant-index.ts";
import { heldDefault, heldPolicy } from "../../aws/policies/aws-policies.ts";
import { type KeyId, parseKeyId } from "../../crypto/ids.ts";
import { ClavigerError } from "../../errors.ts";
import type { GrantRow } from "../../keyring/grant-row.ts";
import type { AliasRow } from "../../keyring/rows.ts";
import type { AwsSite } from "../../keys/arn.ts";
import type { KubeClient } from "../../kube/client.ts";
import { collectionPath } from "../../kube/paths.ts";
import { nameText } from "../../names.ts";
import { grantRowOf } from "../../operator/grants/grant-record.ts";
import { detailsOfKey } from "../../operator/node/details/decide-details.ts";
import { isTooLong, policyTextOf } from "../../resources/key-policy.ts";
import { objectName } from "../../resources/object-text.ts";
import type { KeyAlias, KeyGrant, MasterKey } from "../../resources/resources.ts";
import type { KeyFacts, UnacceptedGrant } from "./key-facts.ts";
import { listAll } from "./list-all.ts";

/** Reads what the API server knows of a MasterKey and its grants. Throws ApiServer, or NotReady without a keyId. */
export async function clusterFacts(client: KubeClient, masterKey: MasterKey): Promise<KeyFacts> {
  const { namespace, name } = objectName(masterKey);
  const [grants, aliases] = await Promise.all([
    listAll(client, collectionPath("KeyGrant", namespace)),
    listAll(client, collectionPath("KeyAlias", namespace)),
  ]);
  return factsOf(masterKey, {
    // The API server validates every object against its CRD.
    grants: (grants as readonly KeyGrant[]).filter(({ spec }) => spec.masterKey === name),
    aliases: aliases as readonly KeyAlias[],
  });
}

/** Returns the facts of a key from its objects. Throws NotReady if the key has no keyId yet. */
export function factsOf(
  masterKey: MasterKey,
  { grants, aliases }: { readonly grants: readonly KeyGrant[]; readonly aliases: readonly KeyAlias[] },
): KeyFacts {
  const { keyId, arn } = masterKey.status ?? {};
  if (keyId === undefined || arn === undefined) throw notReady(masterKey);
  const site = siteOf(arn);
  const index = new GrantIndex();
  for (const grant of grants.filter(isAccepted)) index.put(rowOf(grant, site.account));
  return {
    ...{ site, policy: policyOf(masterKey, site.account), details: detailsOfKey(masterKey), grants: index },
    key: { ...objectName(masterKey), keyId: parseKeyId(keyId), enabled: true, formerKeyIds: [] },
    aliases: aliases.map((alias): AliasRow => ({ ...objectName(alias), masterKey: alias.spec.masterKey })),
    unaccepted: grants.filter((grant) => !isAccepted(grant)).map(unacceptedOf),
  };
}

const notReady = (masterKey: MasterKey): ClavigerError =>
  new ClavigerError(
    "NotReady",
    `MasterKey ${nameText(objectName(masterKey))} has no keyId yet, so that nobody can use it: see kubectl describe masterkey`,
  );

/** Reads the account and the region of the ARN that the leader has published. */
function siteOf(arn: string): AwsSite {
  const [, , , region = "", account = ""] = arn.split(":");
  return { region, account };
}

function policyOf(masterKey: MasterKey, account: string): KeyFacts["policy"] {
  const text = policyTextOf(masterKey);
  if (text === undefined) return heldDefault(account);
  return heldPolicy(isTooLong(text) ? undefined : text, account);
}

const readyOf = ({ status }: KeyGrant) => status?.conditions?.find(({ type }) => type === "Ready");

/** Nodes follow a grant once the leader has accepted it, for the key that it was accepted for. */
const isAccepted = (grant: KeyGrant): boolean =>
  grant.status?.phase !== undefined &&
  grant.status.keyId !== undefined &&
  readyOf(grant)?.reason !== "SpecAltered";

function rowOf(grant: KeyGrant, account: string): GrantRow {
  const row = grantRowOf(grant, grant.status?.keyId as KeyId, account);
  const phase = grant.spec.ended ?? (grant.metadata.deletionTimestamp === undefined ? undefined : "Revoked");
  const ended = phase ?? endedPhase(grant);
  return ended === undefined ? row : { ...row, ended: { phase: ended, at: 0 } };
}

function endedPhase({ status }: KeyGrant): "Revoked" | "Retired" | undefined {
  return status?.phase === "Revoked" || status?.phase === "Retired" ? status.phase : undefined;
}

const unacceptedOf = (grant: KeyGrant): UnacceptedGrant => ({
  name: nameText(objectName(grant)),
  granteePrincipal: grant.spec.granteePrincipal,
  why: readyOf(grant)?.message ?? "the operator has not accepted it yet",
});
