import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../../../errors.ts";
import { isUnanswered } from "../../../kube/unanswered.ts";
import type { Log } from "../../../log.ts";
import { withFindings } from "../../../resources/conditions.ts";
import type { KeyServerStatus } from "../../../resources/schemas/key-server.ts";
import type { OwnReport } from "../../../store/roles.ts";
import { ToldOnce } from "../../../told-once.ts";
import { atWritePoint } from "../../../write-points.ts";

/** Writes this node's KeyServer, and logs its problems. */
export class NodeReporter {
  readonly #nodeName: string;
  readonly #store: Pick<OwnReport, "reportKeyServer">;
  readonly #log: Log;
  #reported: KeyServerStatus | undefined;
  /** True if the last view had our KeyServer: if it is missing later, it was deleted. */
  #seen = false;
  /** The problems that were last logged, by the type of their condition. */
  readonly #told = new Map<string, string>();
  readonly #unwritten: ToldOnce;

  constructor(options: {
    readonly nodeName: string;
    readonly store: Pick<OwnReport, "reportKeyServer">;
    readonly log: Log;
  }) {
    this.#nodeName = options.nodeName;
    this.#store = options.store;
    this.#log = options.log;
    this.#unwritten = new ToldOnce(options.log);
  }

  /** Creates the node's KeyServer if the view does not show it. */
  async register(isThere: boolean, now: Date): Promise<void> {
    if (!isThere) await this.#begin(now);
    this.#seen = isThere;
  }

  async #begin(now: Date): Promise<void> {
    if (this.#reported !== undefined && !this.#seen) return;
    this.#reported = undefined;
    const starting = {
      type: "Ready",
      status: "False",
      reason: "Starting",
      message: "reading the versions",
    } as const;
    const status = {
      versions: 0,
      prepared: [],
      conditions: withFindings(undefined, [starting], undefined, now),
    };
    await this.#store.reportKeyServer(this.#nodeName, status);
  }

  /** Writes a report if it is news. `before` is the report that the view shows. */
  async report(status: KeyServerStatus, before: KeyServerStatus | undefined): Promise<void> {
    this.#tell(status);
    // A report of a former process may no longer be true, and the Lease waits for this process's report. If
    // the view does not show the report, it is late or was deleted; writing it again is no news.
    const known = this.#reported && before;
    if (known !== undefined && isDeepStrictEqual(withoutPosition(known), withoutPosition(status))) return;
    await atWritePoint("keyserver.status", () => this.#store.reportKeyServer(this.#nodeName, status));
    this.#reported = status;
    this.#unwritten.end(`KeyServer ${this.#nodeName} is written again`);
  }

  /** Problems are logged too: the API server may be down, and standalone there is none to ask. */
  #tell({ conditions = [] }: KeyServerStatus): void {
    for (const { type, status, reason, message } of conditions) {
      const problem = status === "False" && reason !== "ProviderWithoutKey";
      const told = problem ? message : undefined;
      if (told === this.#told.get(type)) continue;
      if (told === undefined) this.#told.delete(type);
      else this.#told.set(type, told);
      this.#log(problem ? "warn" : "info", `KeyServer ${this.#nodeName}: ${message}`, { reason });
    }
  }

  /**
   * A pass that failed may have stored nothing, so the last report must not stand, and nothing is prepared.
   */
  async reportFailure(
    problem: { readonly reason: string; readonly message: string },
    before: KeyServerStatus | undefined,
    now: Date,
  ): Promise<void> {
    const finding = { type: "Ready", status: "False", ...problem } as const;
    const conditions = withFindings(before?.conditions, [finding], undefined, now);
    try {
      await this.report({ ...before, prepared: [], conditions }, before);
    } catch (cause) {
      // An API server that does not answer is reported elsewhere.
      if (isUnanswered(cause)) return;
      // The first failure matters, and it may have been a failure of the report itself.
      this.#unwritten.meet(`KeyServer ${this.#nodeName} could not be written: ${messageOf(cause)}`);
    }
  }
}

/** resourceVersions change with every heartbeat elsewhere, and alone they are no news. */
function withoutPosition(status: KeyServerStatus): KeyServerStatus {
  const { persistedResourceVersion: _, ...rest } = status;
  return rest;
}
