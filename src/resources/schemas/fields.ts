import * as s from "./schema.ts";

const DNS_SUBDOMAIN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

/** A field that names an object. */
export const objectName = (description: string) =>
  s.string(description, { pattern: DNS_SUBDOMAIN, maxLength: 253 });
/** A field that is a UUID. */
export const uuid = (description: string) => s.string(description, { pattern: UUID, maxLength: 36 });

/** The reason why a version was created. */
export const TRIGGERS = ["Automatic", "OnDemand", "Imported", "Restored"] as const;

const condition = s.object("One aspect of the object's state.", {
  type: s.string("What the condition is about.", { maxLength: 316 }),
  status: s.oneOf("Whether it holds.", ["True", "False", "Unknown"]),
  reason: s.string("A word for programs.", { maxLength: 1024 }),
  message: s.string("A sentence for people.", { maxLength: 32768 }),
  observedGeneration: s.optional(s.count("The generation of the spec that this was decided on.")),
  lastTransitionTime: s.time("When status last changed."),
});

export const conditions = s.array("The latest observations of the object's state.", condition, {
  listType: "map",
  listMapKeys: ["type"],
  maxItems: 32,
});

export const observedGeneration = s.count("The generation of the spec that this status was decided on.");

/** A rule that a field never changes. */
export const unchanged = (field: string): s.Rule => ({
  cel: `self.${field} == oldSelf.${field}`,
  message: `${field} is immutable`,
  holds: (self, old) => old === undefined || JSON.stringify(self[field]) === JSON.stringify(old[field]),
});

/** The field that says why a version was created or became current. */
export const trigger = () =>
  s.oneOf(
    "Why: Automatic by its period, OnDemand if somebody asked, Imported with new material, Restored if nodes handed a later version back.",
    TRIGGERS,
  );

export type Condition = s.Infer<typeof condition>;
export type Trigger = (typeof TRIGGERS)[number];
