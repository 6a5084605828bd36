import { nodeLog } from "../../audit/log/node-log.ts";
import type { AuditSite } from "../../audit/record/api-call.ts";
import { recordLine } from "../../audit/record/record-line.ts";
import { recordsMissing } from "../../audit/record/records-missing.ts";
import type { AuditTrail } from "../../audit/trail.ts";
import type { NodeConfig } from "../../config/config.ts";
import { materialId } from "../../crypto/import-wrapping.ts";
import type { LiveKeyring } from "../../keyring/live/live-keyring.ts";
import type { VersionRow } from "../../keyring/rows.ts";
import type { Log } from "../../log.ts";
import { callRecord } from "./call-record.ts";
import type { SocketCall } from "./socket-call.ts";

/** A node's API servers use a few versions. */
const MOST_MATERIAL_IDS = 1_000;

type Materials = Pick<LiveKeyring, "material">;

/** Opens the audit log of a node, to which its plugin writes. Returns nothing if no log is configured. */
export function openRecorder(config: NodeConfig, keyring: Materials, log: Log): CallRecorder | undefined {
  const trail = nodeLog(config, log);
  const { account, region } = config;
  return trail && new CallRecorder(trail, { account, region }, keyring);
}

/** Writes the records of calls. Loaded only if there is an audit log. */
export class CallRecorder {
  readonly #trail: AuditTrail;
  readonly #site: AuditSite;
  readonly #keyring: Materials;
  readonly #materialIds = new Map<string, string>();

  constructor(trail: AuditTrail, site: AuditSite, keyring: Materials) {
    this.#trail = trail;
    this.#site = site;
    this.#keyring = keyring;
  }

  /** Writes the record of a call. Rejects if it could not be written. */
  async write(call: SocketCall): Promise<void> {
    const material = this.#knownId(call) ?? (await this.#materialId(call));
    await this.#trail.append(recordLine(callRecord(call, this.#site, material)));
  }

  /** Writes how many calls have no record. Rejects if that could not be written. */
  async writeGap(missing: Readonly<Record<string, number>>, at: number): Promise<void> {
    await this.#trail.append(recordsMissing(this.#site, "kms-v2", at, missing));
  }

  /** True while the log fails, as far as was noticed. */
  get fails(): boolean {
    return this.#trail.problem !== undefined;
  }

  close(): Promise<void> {
    return this.#trail.close();
  }

  #knownId({ version }: SocketCall): string | undefined {
    return version?.materialId ?? this.#materialIds.get(version?.versionId ?? "");
  }

  /** No material is opened for a call that was refused. */
  async #materialId({ version, error }: SocketCall): Promise<string | undefined> {
    if (version === undefined || error !== undefined) return undefined;
    const id = await this.#idOf(version).catch(() => undefined);
    if (id !== undefined && this.#materialIds.size < MOST_MATERIAL_IDS)
      this.#materialIds.set(version.versionId, id);
    return id;
  }

  async #idOf(version: VersionRow): Promise<string> {
    return materialId(version.keyId, await this.#keyring.material(version));
  }
}
