export const COLOUR_WHEN = ["auto", "always", "never"] as const;
export type ColourWhen = (typeof COLOUR_WHEN)[number];

/** The facts by which `wantsColour` decides. */
export interface ColourFacts {
  /** The value of `--color`. */
  readonly when: ColourWhen | undefined;
  /** https://no-color.org: any text but the empty one. */
  readonly noColor: string | undefined;
  /** https://force-color.org: any text but the empty one; 0 and false mean no. */
  readonly forceColor: string | undefined;
  readonly term: string | undefined;
  readonly isTerminal: boolean;
}

/** Returns true if a text is printed with colours. The option wins over the environment, which wins over the terminal. */
export function wantsColour({ when, noColor, forceColor, term, isTerminal }: ColourFacts): boolean {
  if (when === "always" || when === "never") return when === "always";
  if (noColor) return false;
  if (forceColor) return forceColor !== "0" && forceColor !== "false";
  return isTerminal && term !== "dumb";
}

/** Decides for this process's output. */
export const colourOfOutput = (when: ColourWhen | undefined): boolean =>
  wantsColour({
    when,
    noColor: process.env.NO_COLOR,
    forceColor: process.env.FORCE_COLOR,
    term: process.env.TERM,
    isTerminal: process.stdout.isTTY === true,
  });
