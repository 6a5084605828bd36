import type { Site } from "../site.ts";
import type { Step } from "../step.ts";
import { cleanApiServerStep, cleanConfigurationStep, emptyEncryptionStep } from "./api-server-steps.ts";
import { nobodyWritesStep, rewriteStep, stopWritingStep } from "./plain-steps.ts";
import { filesStep, keysStep, nobodyReadsStep, objectsGoneStep, stopNodeStep } from "./removal-steps.ts";

/**
 * The steps that take claviger away from this node, in their order. No key goes before a count in etcd has
 * found nothing under it and every API server has stopped to ask for it.
 */
export const undoSteps = (site: Site, { forget }: { readonly forget: boolean }): readonly Step[] => [
  stopWritingStep(site),
  nobodyWritesStep(site),
  rewriteStep(site),
  cleanConfigurationStep(site),
  cleanApiServerStep(site),
  emptyEncryptionStep(site),
  nobodyReadsStep(site),
  keysStep(site),
  stopNodeStep(site),
  objectsGoneStep(site),
  filesStep(site, forget),
];
