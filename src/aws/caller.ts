/** The authenticated author of a request. */
export interface Caller {
  /** The principal, for example arn:aws:iam::000000000000:user/alice. */
  readonly arn: string;
  /** The name of the Kubernetes user. */
  readonly user: string;
  /** The Kubernetes groups of the user. */
  readonly groups: readonly string[];
  /** The namespace that the caller's bare aliases, ListKeys and ListAliases mean: the caller's account. */
  readonly namespace: string;
}
