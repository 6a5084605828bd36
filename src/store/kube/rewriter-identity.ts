import type { NodeConfig } from "../../config/config.ts";
import { ClavigerError, messageOf } from "../../errors.ts";
import { KubeClient } from "../../kube/client.ts";
import { KubeError } from "../../kube/kube-error.ts";

/**
 * The user who may list and patch stored objects: the user of `rewriter.kubeconfig`, or the operator's own if
 * the configuration names none. Its file is read and its connections exist only while a task uses them.
 */
export class RewriterIdentity {
  readonly #own: KubeClient;
  readonly #kubeconfig: string | undefined;
  readonly #configPath: string;

  constructor(own: KubeClient, { rewriter, path }: Pick<NodeConfig, "rewriter" | "path">) {
    this.#own = own;
    this.#kubeconfig = rewriter?.kubeconfig;
    this.#configPath = path;
  }

  /**
   * Gives the task a client, and closes its connections when the task has ended. Throws the task's error,
   * with what to do.
   */
  async use<T>(task: (client: KubeClient) => Promise<T>): Promise<T> {
    const client = this.#kubeconfig === undefined ? this.#own : new KubeClient(this.#kubeconfig);
    try {
      return await task(client);
    } catch (error) {
      throw this.#explained(error);
    } finally {
      if (client !== this.#own) client.close();
    }
  }

  /** What to do if the API server forbids this user to list or patch. */
  get rightsRemedy(): string {
    return this.#kubeconfig === undefined
      ? "set rewriter.kubeconfig in the node's configuration and apply deploy/rewriter.yaml (docs/install/by-hand.md, steps 3 and 10)"
      : `apply deploy/rewriter.yaml, and see that the user of rewriter.kubeconfig ${bounded(this.#kubeconfig)} is in the group claviger:rewriters`;
  }

  #explained(error: unknown): unknown {
    if (isForbidden(error)) return withRemedy(error, this.rightsRemedy);
    if (this.#kubeconfig === undefined) return error;
    const file = bounded(this.#kubeconfig);
    if (error instanceof KubeError && error.httpStatus === 401) {
      return withRemedy(
        error,
        `renew the credentials in rewriter.kubeconfig ${file} (docs/install/by-hand.md, step 3)`,
      );
    }
    if (error instanceof ClavigerError && error.code === "ConfigInvalid") {
      return withRemedy(
        error,
        `rewriter.kubeconfig in ${bounded(this.#configPath)} names it: docs/install/by-hand.md, step 3, says how to make it`,
      );
    }
    return error;
  }
}

function withRemedy(cause: ClavigerError, remedy: string): ClavigerError {
  return new ClavigerError(cause.code, `${messageOf(cause)}; ${remedy}`, { cause });
}

const isForbidden = (error: unknown): error is KubeError =>
  error instanceof KubeError && error.httpStatus === 403;

/** A status has room for 1,024 characters of a message. */
const bounded = (path: string): string => (path.length > 200 ? `…${path.slice(-199)}` : path);
