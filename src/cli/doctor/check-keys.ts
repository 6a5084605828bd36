import { mayRotate } from "../../crypto/key-specs.ts";
import { formerArnObjection, NAME_THE_REGION } from "../../keys/arn.ts";
import { conditionOf } from "../../resources/conditions.ts";
import { needsSomebody } from "../../resources/passing-reasons.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { type Check, check, when } from "./check.ts";
import { servedKey } from "./check-cluster.ts";
import type { ClusterResources } from "./observed.ts";

const CONDITIONS = "docs/operations/conditions.md has the reason and what to do";
/** Reasons of the condition Reencrypted that do not pass by themselves. */
const STUCK = ["ObjectsLeft", "RewriteFailed", "CensusFailed", "StraysFound"];

/** Checks of the MasterKeys and of what will become of them. */
export const keyChecks: readonly Check[] = [
  check("MasterKeyNotReady", ["resources"], ({ resources }) =>
    resources.masterKeys.flatMap((key) => {
      const ready = conditionOf(key.status?.conditions, "Ready");
      return when(ready?.status !== "True", () => ({
        severity: key.spec.enabled && isServed(key, resources) ? "error" : "warning",
        object: objectText(key),
        message: `it is not Ready (${ready?.reason ?? "not looked at yet"}): ${ready?.message ?? "no operator wrote its status; does one lead?"}`,
        remedy: CONDITIONS,
      }));
    }),
  ),
  check("RotationOverdue", ["resources"], ({ resources: { masterKeys } }) =>
    masterKeys.flatMap((key) => {
      const onTime = conditionOf(key.status?.conditions, "RotationOnTime");
      return when(onTime?.status === "False", () => ({
        severity: key.spec.enabled ? "error" : "warning",
        object: objectText(key),
        message: `its rotation is not on time (${onTime?.reason}): ${onTime?.message}`,
        remedy: CONDITIONS,
      }));
    }),
  ),
  check("ObjectsLeft", ["resources"], ({ resources: { masterKeys } }) =>
    masterKeys.flatMap((key) => {
      const reencrypted = conditionOf(key.status?.conditions, "Reencrypted");
      const stuck = reencrypted?.status === "False" && STUCK.includes(reencrypted.reason);
      return when(stuck, () => ({
        severity: "error",
        object: objectText(key),
        message: `stored objects do not follow its current version (${reencrypted?.reason}): ${reencrypted?.message}`,
        remedy: "docs/operations/rotate.md says what to do for each cause",
      }));
    }),
  ),
  check("StoredDataNotProven", ["resources"], ({ resources: { masterKeys } }) =>
    masterKeys.flatMap((key) => {
      const reencrypted = conditionOf(key.status?.conditions, "Reencrypted");
      const isUnproven = needsSomebody(reencrypted) && !STUCK.includes(reencrypted.reason);
      return when(isUnproven, () => ({
        severity: "error",
        object: objectText(key),
        message: `nothing proves that stored objects are under its current version (${reencrypted?.reason}): ${reencrypted?.message}`,
        remedy: CONDITIONS,
      }));
    }),
  ),
  check("NoAutomaticRotation", ["resources"], ({ resources: { masterKeys } }) =>
    masterKeys
      .filter(
        ({ spec }) => spec.origin === "AWS_KMS" && mayRotate(spec.keySpec) && spec.rotation?.enabled !== true,
      )
      .map((key) => ({
        severity: "warning",
        object: objectText(key),
        message: "it does not rotate by itself",
        remedy: "set spec.rotation: { enabled: true, periodInDays: 365 }, or rotate it by claviger rotate",
      })),
  ),
  check("MaterialExpiring", ["resources"], ({ resources: { masterKeys } }) =>
    masterKeys.flatMap((key) => {
      const expiring = conditionOf(key.status?.conditions, "MaterialExpiring");
      return when(expiring?.status === "True", () => ({
        severity: expiring?.reason === "MaterialExpiresSoon" ? "warning" : "error",
        object: objectText(key),
        message: `its imported material expires or has expired (${expiring?.reason}): ${expiring?.message}`,
        remedy: "import the same material again with a later validTo, or rotate to new material",
      }));
    }),
  ),
  check("OldRegion", ["resources"], ({ resources: { masterKeys, keyAliases } }, { config }) =>
    [...masterKeys, ...keyAliases].flatMap(({ kind, metadata: { namespace, name }, status }) => {
      const objection = formerArnObjection(config, status?.arn);
      if (objection === undefined) return [];
      const object = `${kind} ${namespace}/${name}`;
      return [{ severity: "warning", object, message: objection, remedy: NAME_THE_REGION }];
    }),
  ),
  check("RewriterRights", ["rights"], ({ rights }, { config }) =>
    rights.map(({ resource, verbs }) => ({
      severity: "error",
      object: resource,
      message: `the user of ${config.rewriter?.kubeconfig ?? "this node's kubeconfig"} may not ${verbs.join(", ")} it: after a rotation these objects are not encrypted again while ${config.nodeName} leads`,
      remedy:
        config.rewriter === undefined
          ? "set rewriter.kubeconfig and apply deploy/rewriter.yaml (docs/install/by-hand.md, steps 3 and 10), or set spec.reencryption.engine"
          : "add it to deploy/rewriter.yaml and apply that as an admin, or set spec.reencryption.engine",
    })),
  ),
  check("NodeMayReadSecrets", ["secretRights"], ({ secretRights }, { config }) =>
    when(secretRights.length > 0, () => ({
      severity: "warning",
      object: config.resources.kind === "kubeconfig" ? config.resources.path : config.path,
      message: `its user may ${secretRights.join(", ")} Secrets of every namespace: whoever holds this file reads them all, and claviger's operator needs none of it`,
      remedy:
        "give the rewriter an identity of its own and take these rights from this one: docs/operations/re-encrypt.md",
    })),
  ),
];

const objectText = ({ metadata: { namespace, name } }: MasterKey): string => `MasterKey ${namespace}/${name}`;

const isServed = (key: MasterKey, resources: ClusterResources): boolean =>
  resources.keyServers.some(({ status }) =>
    status?.providers?.some(({ serves }) => servedKey(serves, resources) === key),
  );
