/**
 * Tells a right that a user lacks, by Kubernetes' own words. Admission policies give the
 * reason Forbidden too, and no right would help against one.
 */
export const lacksRight = ({ message }: { readonly message: string }): boolean =>
  / is forbidden: User .* cannot (get|list|patch) resource /s.test(message);
