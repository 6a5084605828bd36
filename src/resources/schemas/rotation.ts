import * as s from "./schema.ts";

/** AWS KMS's limits (EnableKeyRotation, RotateKeyOnDemand). */
export const DEFAULT_ROTATION_DAYS = 365;
const AWS_MINIMUM_DAYS = 90;

/**
 * Checks cron's five fields by their characters; a condition says if the time ever comes. Names are for
 * months and weekdays only; ?, L, W, # and + are croner's.
 */
const SCHEDULE = "^[0-9*/,?-]+ +[0-9*/,?-]+ +[0-9*/,?LlWw-]+ +[0-9A-Za-z*/,?-]+ +[0-9A-Za-z*/,?#+-]+$";
/** Area/City, the IANA names of zones. The machine decides which of them exist. */
const TIME_ZONE = "^(UTC|GMT|[A-Za-z_]+(/[A-Za-z0-9_+-]+){1,2})$";

const windowSpec = s.object(
  "When a rotation may begin by itself; always if left out.",
  {
    schedule: s.string("When the window opens, in cron's five fields, such as 0 2 * * 6.", {
      minLength: 9,
      maxLength: 128,
    }),
    timeZone: s.string("The schedule's time zone, by its IANA name.", { default: "UTC", maxLength: 64 }),
    durationMinutes: s.integer("How long it stays open.", {
      default: 120,
      minimum: 1,
      maximum: 10_080,
    }),
  },
  {
    rules: [
      {
        cel: `self.schedule.matches('${SCHEDULE}')`,
        message: "schedule has cron's five fields, minute, hour, day, month and weekday, such as 0 2 * * 6",
        holds: (self) => new RegExp(SCHEDULE).test(String(self.schedule)),
      },
      {
        cel: `self.timeZone.matches('${TIME_ZONE}')`,
        message: "timeZone is an IANA name such as Europe/Berlin, or UTC",
        holds: (self) => new RegExp(TIME_ZONE).test(String(self.timeZone)),
      },
    ],
  },
);

/** MasterKey.spec.rotation. */
export const rotationSpec = s.object(
  "When the key gets a new version.",
  {
    enabled: s.optional(s.boolean("Whether it rotates by itself.")),
    periodInDays: s.optional(
      s.integer(
        `Days from the end of one rotation to the next: 90 to 2560 as in AWS KMS, ${DEFAULT_ROTATION_DAYS} if left out.`,
        { minimum: 1, maximum: 2560 },
      ),
    ),
    allowShortPeriod: s.optional(
      s.boolean("Allows a period of less than 90 days, which AWS KMS does not have."),
    ),
    window: s.optional(windowSpec),
    requestToken: s.optional(
      s.string("Asks for a rotation now: any text that was not here before. claviger rotate writes it.", {
        minLength: 1,
        maxLength: 128,
      }),
    ),
    onDemandLimit: s.integer(
      "How many rotations may be asked for in the key's life; 25 as in AWS KMS. No more than 1,000 count.",
      {
        default: 25,
        minimum: 0,
        maximum: 100_000,
      },
    ),
  },
  {
    rules: [
      {
        cel: "(!has(self.periodInDays) && !has(self.window)) || has(self.enabled)",
        message: "periodInDays and window do nothing without enabled: set it to true or false",
        holds: (self) =>
          (self.periodInDays === undefined && self.window === undefined) || self.enabled !== undefined,
      },
      {
        cel: `!has(self.periodInDays) || self.periodInDays >= ${AWS_MINIMUM_DAYS} || (has(self.allowShortPeriod) && self.allowShortPeriod)`,
        message: "periodInDays is 90 to 2560; set allowShortPeriod to true for less",
        holds: (self) =>
          typeof self.periodInDays !== "number" ||
          self.periodInDays >= AWS_MINIMUM_DAYS ||
          self.allowShortPeriod === true,
      },
    ],
  },
);

/** Imported material rotates when somebody brings new material, never by itself. */
export const madeHereToRotate: s.Rule = {
  cel: "self.origin != 'EXTERNAL' || !has(self.rotation) || !has(self.rotation.enabled) || !self.rotation.enabled",
  message:
    "rotation.enabled needs origin AWS_KMS: a key of origin EXTERNAL rotates when new material is imported",
  holds: (self) =>
    self.origin !== "EXTERNAL" ||
    (self.rotation as s.Infer<typeof rotationSpec> | undefined)?.enabled !== true,
};

export type RotationSpec = s.Infer<typeof rotationSpec>;
