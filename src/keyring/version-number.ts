/**
 * The highest number of a version. A key that rotates every minute needs 1,900 years to reach it, and SQLite,
 * JSON and JavaScript all read it exactly.
 */
export const MAX_VERSION_NUMBER = 1_000_000_000;

/** Returns true if a value from outside can be the number of a version. */
export const isVersionNumber = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= MAX_VERSION_NUMBER;
