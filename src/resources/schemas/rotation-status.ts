import { trigger } from "./fields.ts";
import { kmsKeyId, REENCRYPTION_PHASES } from "./reencryption.ts";
import * as s from "./schema.ts";

/** The number of replaced rotations that one rotation names. */
export const MOST_SUPERSEDED = 20;
/** The number of finished rotations that a status remembers. */
export const MOST_ROTATIONS = 20;
const superseded = () =>
  s.optional(
    s.array(
      "The versions, the latest first, whose rotations had not finished when this one began. It ends them too: what is stored under them is written again under its version.",
      s.versionNumber("The number of the version."),
      { listType: "atomic", maxItems: MOST_SUPERSEDED },
    ),
  );

/** MasterKey.status.rotation. */
export const rotationStatus = s.object("Rotations: the running, the last and the next.", {
  clockStartedAt: s.optional(s.time("What the period is counted from.")),
  nextRotationTime: s.optional(s.time("When the next one is due.")),
  onDemandCount: s.optional(s.count("How many were asked for.")),
  handledToken: s.optional(s.string("The last requestToken that was acted upon.", { maxLength: 128 })),
  running: s.optional(
    s.object("The rotation that is not finished.", {
      trigger: trigger(),
      number: s.versionNumber("The number of its version."),
      startedAt: s.time("When it began."),
      phase: s.oneOf(
        "Distributing: on its way to the nodes. Switching: current; API servers begin to use it. Reencrypting: stored data is written again. Verifying: it is proven that nothing is left under another key_id.",
        ["Distributing", ...REENCRYPTION_PHASES.slice(0, 3)],
      ),
      supersedes: superseded(),
    }),
  ),
  last: s.optional(
    s.object("The last one that was finished.", {
      trigger: trigger(),
      number: s.versionNumber("The number of its version."),
      startedAt: s.time("When it began."),
      completedAt: s.time("When it was finished."),
      verified: s.boolean(
        "Whether a census of etcd proves that nothing is left under another key_id. Follows status.reencryption while its version is current.",
      ),
      supersedes: superseded(),
    }),
  ),
  history: s.optional(
    s.array(
      "The last rotations that were finished, the latest first, as they were then.",
      s.object("A rotation.", {
        number: s.versionNumber("The number of its version."),
        kmsKeyId: kmsKeyId(),
        trigger: trigger(),
        startedAt: s.time("When it began."),
        completedAt: s.time("When it was finished."),
        verified: s.boolean("Whether a census of etcd proved that nothing was left under another key_id."),
        objects: s.optional(s.count("Objects that its last round went through.")),
        failed: s.optional(s.count("Objects that could not be written in that round.")),
        rounds: s.optional(s.count("How many times the stored objects were gone through.")),
        supersedes: superseded(),
        censusTime: s.optional(s.time("When the census ended that proved it.")),
        censusRevision: s.optional(s.count("etcd's revision of which that census is.")),
      }),
      { listType: "atomic", maxItems: MOST_ROTATIONS },
    ),
  ),
});

export type RotationStatus = s.Infer<typeof rotationStatus>;
export type RotationRecord = NonNullable<RotationStatus["history"]>[number];
