import type { GrantRow } from "../keyring/grant-row.ts";
import { API_VERSION, type KeyGrant, type ObjectMeta } from "../resources/resources.ts";
import { EARLIER, keyId } from "./objects.ts";

export const ACCOUNT = "000000000000";
export const APP = `arn:aws:iam::${ACCOUNT}:role/shop/app`;

/** Returns KeyGrant apps/grant of MasterKey apps/secrets to a ServiceAccount. */
export const keyGrant = (
  changes: {
    readonly metadata?: Partial<ObjectMeta>;
    readonly spec?: Partial<KeyGrant["spec"]>;
    readonly status?: KeyGrant["status"];
  } = {},
): KeyGrant => {
  const name = changes.metadata?.name ?? "grant";
  return {
    apiVersion: API_VERSION,
    kind: "KeyGrant",
    metadata: {
      ...{ namespace: "apps", name, uid: `uid-of-${name}`, resourceVersion: "1", generation: 1 },
      creationTimestamp: EARLIER,
      ...changes.metadata,
    },
    spec: {
      ...{ masterKey: "secrets", granteePrincipal: APP, operations: ["Decrypt", "Encrypt"] },
      grantedBy: { user: "alice", groups: ["staff"] },
      ...changes.spec,
    },
    ...(changes.status && { status: changes.status }),
  };
};

/** Returns the n-th grant, of the n-th key. */
export const grantRow = (n: number, changes: Partial<GrantRow> = {}): GrantRow => ({
  ...{ grantId: String(n).padStart(64, "0"), namespace: "apps", name: `grant-${n}`, masterKey: "secrets" },
  ...{ keyId: keyId(n), granteePrincipal: APP, operations: ["Decrypt"], createdAt: 0 },
  issuingPrincipal: `arn:aws:iam::${ACCOUNT}:user/alice`,
  ...changes,
});
