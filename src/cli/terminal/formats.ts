/** The formats for programs, by the values of `-o`. */
export const FORMATS = ["json", "yaml"] as const;
export type Format = (typeof FORMATS)[number];
