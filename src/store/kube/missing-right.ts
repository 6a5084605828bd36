/**
 * Returns true if a user lacks a right, by Kubernetes' own words. Admission policies give the reason
 * Forbidden too, and no right would help against a policy.
 */
export const lacksRight = ({ message }: { readonly message: string }): boolean =>
  / is forbidden: User .* cannot (get|list|patch) resource /s.test(message);
