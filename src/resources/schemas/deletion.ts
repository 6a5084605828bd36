import * as s from "./schema.ts";

/** AWS KMS's bounds and default of PendingWindowInDays. */
export const PENDING_WINDOW = { minimum: 7, maximum: 30, default: 30 };

/** MasterKey.spec.deletion. */
export const deletionSpec = s.object(
  "Asks for the key's deletion: it is refused at once, and its material is destroyed after the waiting period. Take the field out again to cancel.",
  {
    pendingWindowInDays: s.integer("The waiting period.", PENDING_WINDOW),
    withoutCensus: s.optional(
      s.boolean(
        "true: continues if claviger has no etcd in which to count the objects under the key. You then vouch that nothing stored needs it.",
      ),
    ),
    confirmedDueAt: s.optional(
      s.time(
        "For a single node, whose clock no other confirms: a time, not before status.deletion.deletionDate, that you know to be past. The key is then destroyed although its operator has not seen the whole waiting period pass.",
      ),
    ),
  },
);

/** MasterKey.spec.retention. */
export const retentionSpec = s.object("What becomes of versions that no longer encrypt.", {
  policy: s.oneOf(
    "Keep: they decrypt for ever. Destroy: their material is destroyed once it is verified that nothing stored needs it.",
    ["Keep", "Destroy"],
    { default: "Keep" },
  ),
  afterDays: s.integer("How long they are kept after the verified re-encryption.", {
    minimum: 7,
    maximum: 3650,
    default: 30,
  }),
});

/** The deletion of a MasterKey or KeyVersion that is in progress. */
export const deletionStatus = s.object("The deletion that is in progress.", {
  scheduledAt: s.time("When it was asked for and accepted."),
  deletionDate: s.time("From when on the material may be destroyed."),
  withoutCensus: s.optional(
    s.boolean("true: it was requested without a count of the objects under the key."),
  ),
});

/** KeyVersion.spec.destroyed, in place of the seal. */
export const destroyedSpec = s.object(
  "Set in place of the seal: the material was destroyed. Nodes believe it if the proof opens under their root key.",
  {
    at: s.time("When."),
    reason: s.string("Why, in a sentence.", { maxLength: 1024 }),
    proof: s.object("Made with the root key, over all that the tombstone says.", {
      provider: s.string("The seal that made it.", { maxLength: 63 }),
      rootKeyId: s.string("Which root key opens it. Not secret.", { maxLength: 256 }),
      sealed: s.string("The sealed bytes.", { format: "byte", maxLength: 16384 }),
    }),
  },
);

export type Destroyed = s.Infer<typeof destroyedSpec>;

const windowIn = (deletion: unknown): unknown =>
  (deletion as s.Infer<typeof deletionSpec>).pendingWindowInDays;

/** A waiting period that could be shortened would be none. */
export const windowFixed: s.Rule = {
  cel: "!has(self.deletion) || !has(oldSelf.deletion) || self.deletion.pendingWindowInDays == oldSelf.deletion.pendingWindowInDays",
  message:
    "deletion.pendingWindowInDays cannot be changed: remove deletion, which cancels it, and set it again",
  holds: (self, old) =>
    self.deletion === undefined ||
    old?.deletion === undefined ||
    windowIn(self.deletion) === windowIn(old.deletion),
};

/** The seal is removed and the tombstone added in the same write, or the other way round. */
export const sealedOrDestroyed: s.Rule = {
  cel: "has(self.seal) != has(self.destroyed)",
  message: "a version has either a seal or, once it is destroyed, a tombstone",
  holds: (self) => (self.seal !== undefined) !== (self.destroyed !== undefined),
};
