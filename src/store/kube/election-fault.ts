import { codeOf, messageOf } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { KubeError } from "../../kube/kube-error.ts";
import type { Log } from "../../log.ts";
import { FINALIZER } from "../../resources/finalizer.ts";
import type { MasterKey } from "../../resources/resources.ts";
import { atWritePoint } from "../../write-points.ts";
import type { FinalizerWrites } from "../roles.ts";
import { heldByNobody, isLeaseRefused, leaseFault, namespaceState } from "./home-namespace.ts";

interface ElectionFaultOptions extends FinalizerWrites {
  readonly client: KubeClient;
  readonly leaseNamespace: string;
  readonly log: Log;
  readonly masterKeys: () => readonly MasterKey[];
  readonly onChange: () => void;
  /** Aborts when writes are given up. */
  readonly signal: AbortSignal;
}

/** Finds out why no operator can lead, and releases the MasterKeys of a namespace in which none will ever lead again. */
export class ElectionFault {
  readonly #options: ElectionFaultOptions;
  /** The reason why no operator can lead, if the API server refuses the Lease for that. */
  text: string | undefined;

  constructor(options: ElectionFaultOptions) {
    this.#options = options;
  }

  /**
   * Handles the outcome of an attempt to lead. An API server that does not answer is different from an API
   * server that refuses the Lease. Never rejects.
   */
  async judge(failure: unknown): Promise<void> {
    if (failure !== undefined && !isLeaseRefused(failure)) return;
    const { leaseNamespace, log, onChange } = this.#options;
    try {
      const fault = failure === undefined ? undefined : await this.#faultOf(failure);
      if (fault === this.text) return;
      this.text = fault;
      onChange();
    } catch (error) {
      log("warn", `Namespace ${leaseNamespace} could not be looked at: ${messageOf(error)}`);
    }
  }

  async #faultOf(failure: KubeError): Promise<string> {
    const { client, leaseNamespace, signal } = this.#options;
    const state = await namespaceState(client, leaseNamespace, signal);
    if (state === "terminating") await this.#release(leaseNamespace);
    return leaseFault(leaseNamespace, state, failure.message);
  }

  async #release(namespace: string): Promise<void> {
    const { log, masterKeys } = this.#options;
    for (const key of heldByNobody(masterKeys(), namespace)) {
      const { name, finalizers = [] } = key.metadata;
      const others = finalizers.filter((finalizer) => finalizer !== FINALIZER);
      try {
        await atWritePoint("masterkey.finalizers", () => this.#options.setFinalizers(key, others));
        log(
          "warn",
          `the finalizer of MasterKey ${namespace}/${name} was removed: its Namespace is being deleted, so no operator can hold the leader's Lease there. Its KeyVersions stay, and a new MasterKey of the same name adopts them`,
        );
      } catch (error) {
        // Another node's operator was faster, or the object has changed: the next attempt will see it.
        if (codeOf(error) !== "Conflict" && codeOf(error) !== "NotFound") throw error;
      }
    }
  }
}
