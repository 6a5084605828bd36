import { type ConfiguredSite, formerArnObjection, NAME_THE_REGION } from "../keys/arn.ts";
import type { Log } from "../log.ts";
import { objectText } from "../resources/object-text.ts";
import type { MasterKey } from "../resources/resources.ts";

/** Logs once that there are keys with ARNs of the default region of an earlier release. */
export class FormerRegion {
  readonly #site: ConfiguredSite;
  readonly #log: Log;
  #told = false;

  constructor(site: ConfiguredSite, log: Log) {
    this.#site = site;
    this.#log = log;
  }

  look(masterKey: MasterKey): void {
    const objection = this.#told ? undefined : formerArnObjection(this.#site, masterKey.status?.arn);
    if (objection === undefined) return;
    this.#told = true;
    this.#log("warn", `MasterKey ${objectText(masterKey)}: ${objection}; ${NAME_THE_REGION}`);
  }
}
