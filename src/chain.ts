/** A question about the observations. `find` returns an objection to continuing, if there is one. */
export interface NamedCheck<A extends readonly unknown[], F> {
  readonly name: string;
  readonly find: (...observed: A) => F | undefined;
}

/** Checks, in the order in which they run. */
export type Chain<A extends readonly unknown[], F> = readonly NamedCheck<A, F>[];

/** Makes a chain of functions, in the order in which they are given and by the names under which they are given. */
export const chain = <A extends readonly unknown[], F>(
  checks: Readonly<Record<string, NamedCheck<A, F>["find"]>>,
): Chain<A, F> => Object.entries(checks).map(([name, find]) => ({ name, find }));

/**
 * Returns the finding of the first check that objects, which is the one to fix first. Later checks are not
 * run.
 */
export function firstFinding<A extends readonly unknown[], F>(
  checks: Chain<A, F>,
  ...observed: A
): F | undefined {
  for (const { find } of checks) {
    const found = find(...observed);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Runs every check, even after an objection. Returns each check with the result of its `find`. */
export const allFindings = <C extends NamedCheck<A, F>, A extends readonly unknown[], F>(
  checks: readonly (C & NamedCheck<A, F>)[],
  ...observed: A
): readonly { readonly check: C; readonly found: F | undefined }[] =>
  checks.map((check) => ({ check, found: check.find(...observed) }));
