import { type Check, check, type Severity, when } from "./check.ts";
import type { Observed } from "./observed.ts";

/** Checks of what KeyGrants and key policies need in the API server. */
export const grantChecks: readonly Check[] = [
  check("GrantsNotServed", ["grants"], ({ grants: { served } }, observed) =>
    when(!served, () => ({
      severity: severityIn(observed),
      object: "CustomResourceDefinition keygrants.kms.claviger.dev",
      message: "the API server does not serve KeyGrants, so that nobody is granted a key",
      remedy: "apply crds/ of this release",
    })),
  ),
  check("GrantsNotGuarded", ["grants"], ({ grants: { guard } }, observed) =>
    guard.kind === "in-force"
      ? []
      : [
          {
            severity: severityIn(observed),
            object: "KeyGrants",
            message: `no new KeyGrant is accepted, because nobody vouches for spec.grantedBy: ${guard.message}`,
            remedy: "grants that were accepted before stay; create those again that came meanwhile",
          },
        ],
  ),
  check("PoliciesNotGuarded", ["grants"], ({ grants: { policyGuard } }, observed) =>
    policyGuard.kind === "in-force"
      ? []
      : [
          {
            severity: severityIn(observed),
            object: "MasterKeys",
            message: `whoever may change a MasterKey may set its key policy, and so use the key in the AWS KMS API: ${policyGuard.message}`,
            remedy: "until then read docs/threat-model.md, Who is kept out of a key by its policy",
          },
        ],
  ),
];

/** Grants are for the AWS KMS API, which not every cluster uses. */
const severityIn = ({ config }: Observed): Severity => (config.api === undefined ? "warning" : "error");
