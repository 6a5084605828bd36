import type { Clock } from "../../clock.ts";
import type { NodeConfig } from "../../config/config.ts";
import { codeOf } from "../../errors.ts";
import { type GrantUse, readNodeGrantUsage } from "../../keyring/usage/grant-usage.ts";
import type { KeyringWriter } from "../../keyring/writer.ts";
import { isBusy } from "../../kube/unanswered.ts";
import type { KeyGrant } from "../../resources/resources.ts";
import type { KeyGrantStatus } from "../../resources/schemas/key-grant.ts";
import type { KeyGrants, StatusWrites } from "../../store/roles.ts";
import { atWritePoint } from "../../write-points.ts";
import { TimeSlice } from "../time/time-slice.ts";
import { dueReports, type Reported, statusWithUse } from "./decide-usage.ts";
import { grantIdOf } from "./grant-record.ts";

/** KeyGrants that a node writes in one pass, which is made once a minute: etcd has better things to do. */
const MOST_WRITES = 60;
/** Grants that a pass looks at. Those whose KeyGrant is gone, or has the count already, need no write. */
const MOST_LOOKS = 10_000;

interface ReportWrite {
  readonly kind: "write";
  readonly grant: KeyGrant;
  readonly status: KeyGrantStatus;
}

type ReportPlan = ReportWrite | { readonly kind: "reported" } | { readonly kind: "wait" };

export interface GrantUsageReporterOptions {
  readonly config: Pick<NodeConfig, "nodeName" | "stateDir">;
  readonly store: KeyGrants & StatusWrites;
  readonly keyring: Pick<KeyringWriter, "grants">;
  readonly clock: Pick<Clock, "now">;
}

/** Writes into KeyGrants how often this node's AWS KMS API has used them. Each node's operator has one, leader or not. */
export class GrantUsageReporter {
  readonly #options: GrantUsageReporterOptions;
  #reported = new Map<string, Reported>();

  constructor(options: GrantUsageReporterOptions) {
    this.#options = options;
  }

  /**
   * Reports the grants whose turn it is. A KeyGrant that cannot be written has its turn again after the others.
   * Throws the first failure, after the rest; but if the API server is busy, at once.
   */
  async pass(signal: AbortSignal): Promise<void> {
    const { config, clock } = this.#options;
    const used = readNodeGrantUsage(config.stateDir);
    this.#reported = new Map([...this.#reported].filter(([grantId]) => used.has(grantId)));
    const slice = new TimeSlice();
    const failures: unknown[] = [];
    let writes = 0;
    for (const [grantId, use] of dueReports(used, this.#reported, MOST_LOOKS)) {
      if (signal.aborted || writes >= MOST_WRITES || failures.some(isBusy)) break;
      const plan = this.#plan(grantId, use);
      if (plan.kind === "write") writes += 1;
      const isReported = plan.kind === "write" ? await this.#write(plan, failures) : plan.kind === "reported";
      this.#reported.set(grantId, { uses: isReported ? use.uses : undefined, at: clock.now().getTime() });
      await slice.pause();
    }
    if (failures.length > 0) throw failures[0];
  }

  #plan(grantId: string, use: GrantUse): ReportPlan {
    const grant = this.#grantOf(grantId);
    if (grant?.status === undefined) return { kind: "wait" };
    const status = statusWithUse(grant.status, this.#options.config.nodeName, use);
    return status === undefined ? { kind: "reported" } : { kind: "write", grant, status };
  }

  /** Returns false if the report has to wait for its next turn. */
  async #write({ grant, status }: ReportWrite, failures: unknown[]): Promise<boolean> {
    const { store } = this.#options;
    try {
      await atWritePoint("keygrant.status", () => store.applyStatus<"KeyGrant">(grant, status));
      return true;
    } catch (error) {
      if (!isOutdated(error)) failures.push(error);
      return false;
    }
  }

  /** Returns the KeyGrant of an id, unless its object is gone. */
  #grantOf(grantId: string): KeyGrant | undefined {
    const { store, keyring } = this.#options;
    const row = keyring.grants.get(grantId);
    const grant = row && store.keyGrant(row);
    return grant !== undefined && grantIdOf(grant) === grantId ? grant : undefined;
  }
}

/** Returns true if somebody changed or deleted the object first. */
const isOutdated = (error: unknown): boolean => ["Conflict", "NotFound"].includes(codeOf(error) ?? "");
