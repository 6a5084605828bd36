import { reviewAccess } from "../kube/access-review.ts";
import { KubeClient } from "../kube/client.ts";
import { TokenReviews } from "../kube/token-review.ts";
import type { Log } from "../log.ts";
import { RepeatedLog } from "../repeated-log.ts";
import { ClusterRbac } from "./service/cluster-rbac.ts";
import type { TokenReviewer } from "./sts/web-identity.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/** A caller waits for the answer. */
const CALL_MILLISECONDS = 5_000;

/** The API server, as the AWS KMS API asks it with its own user. */
export class Cluster {
  readonly client: KubeClient;
  readonly rbac: ClusterRbac;
  readonly #log: RepeatedLog;
  readonly #telemetry: Telemetry;

  constructor(kubeconfig: string, log: Log, telemetry: Telemetry) {
    const client = new KubeClient(kubeconfig, { callMilliseconds: CALL_MILLISECONDS });
    this.client = client;
    this.#log = new RepeatedLog(log);
    this.#telemetry = telemetry;
    this.rbac = new ClusterRbac({
      review: (question) => telemetry.asked("SubjectAccessReview", () => reviewAccess(client, question)),
      report: (error) => this.#report(error),
      now: () => performance.now(),
    });
  }

  /** Returns the reviews of tokens that were made for an audience. */
  tokenReviews(audience: string): TokenReviewer {
    const reviews = new TokenReviews(this.client, audience);
    return { review: (token) => this.#telemetry.asked("TokenReview", () => reviews.review(token)) };
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
