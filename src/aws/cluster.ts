import { reviewAccess } from "../kube/access-review.ts";
import { KubeClient } from "../kube/client.ts";
import { TokenReviews } from "../kube/token-review.ts";
import type { Log } from "../log.ts";
import { RepeatedLog } from "../repeated-log.ts";
import { ClusterRbac } from "./service/cluster-rbac.ts";

/** A caller waits for the answer. */
const CALL_MILLISECONDS = 5_000;

/** The API server, as the AWS KMS API asks it with its own user. */
export class Cluster {
  readonly client: KubeClient;
  readonly rbac: ClusterRbac;
  readonly #log: RepeatedLog;

  constructor(kubeconfig: string, log: Log) {
    const client = new KubeClient(kubeconfig, { callMilliseconds: CALL_MILLISECONDS });
    this.client = client;
    this.#log = new RepeatedLog(log);
    this.rbac = new ClusterRbac({
      review: (question) => reviewAccess(client, question),
      report: (error) => this.#report(error),
      now: () => performance.now(),
    });
  }

  /** Returns the reviews of tokens that were made for an audience. */
  tokenReviews(audience: string): TokenReviews {
    return new TokenReviews(this.client, audience);
  }

  close(): void {
    this.client.close();
    this.#log.close();
  }

  #report(error: unknown): void {
    const message = `the API server could not be asked who may do what, so nothing is allowed by it: ${String(error)}`;
    this.#log.note({ kind: "rbac", level: "error", message });
  }
}
