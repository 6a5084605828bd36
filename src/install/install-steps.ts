import type { Site } from "./site.ts";
import type { Step } from "./step.ts";
import { apiServerStep } from "./steps/api-server-step.ts";
import { apiStep } from "./steps/api-step.ts";
import {
  clusterConfigurationStep,
  everyReaderStep,
  keyStep,
  objectsStep,
  verifiedStep,
  writerStep,
} from "./steps/cluster-steps.ts";
import { readerStep } from "./steps/encryption-step.ts";
import { kubeconfigStep } from "./steps/kubeconfig-step.ts";
import { configStep, foldersStep, rootKeyStep } from "./steps/node-steps.ts";
import { podsStep } from "./steps/pods-step.ts";
import { nodeStep } from "./steps/running-step.ts";
import { unitsStep } from "./steps/units-step.ts";

export interface InstallOptions {
  /** The image of the static pods; the one of deploy/ if left out. */
  readonly image?: string;
  /** True if plugin and operator are systemd services instead of static pods. */
  readonly systemd?: boolean;
  /** True if the last step waits until the Secrets from before are encrypted too. */
  readonly wait: boolean;
  /** True if the AWS KMS API of the node's configuration is installed as a static pod, too. */
  readonly api?: boolean;
}

/**
 * The steps of an installation on this node, in their order. The plugin serves a key before the API server
 * depends on it; every API server reads before one writes; and kubeadm's configuration has the flags before
 * anything is encrypted, so that no upgrade takes them away from then on.
 */
export const installSteps = (site: Site, options: InstallOptions): readonly Step[] => [
  foldersStep(site),
  rootKeyStep(site),
  configStep(site),
  readerStep(site),
  kubeconfigStep(site),
  objectsStep(site),
  options.systemd === true ? unitsStep(site) : podsStep(site, options.image),
  nodeStep(site),
  keyStep(site),
  apiServerStep(site),
  everyReaderStep(site),
  clusterConfigurationStep(site),
  writerStep(site),
  ...(options.api === true ? [apiStep(site, options.image)] : []),
  ...(options.wait ? [verifiedStep(site)] : []),
];
