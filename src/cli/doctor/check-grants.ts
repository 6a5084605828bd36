import { type Check, check, type Severity, when } from "./check.ts";
import type { Observed } from "./observed.ts";

/** Checks of what KeyGrants need in the API server. */
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
];

/** Grants are for the AWS KMS API, which not every cluster uses. */
const severityIn = ({ config }: Observed): Severity => (config.api === undefined ? "warning" : "error");
