import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";

/** A request in the API server's audit log. */
export interface Audited {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly impersonatedUser?: { readonly username: string; readonly groups?: readonly string[] };
  readonly objectRef?: {
    readonly resource?: string;
    readonly apiGroup?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** The audit log of an API server: who asked for what. */
export class AuditLog {
  #path = "";

  /** Returns the flags of an API server whose folder is `dir`. */
  flags(dir: string): readonly string[] {
    this.#path = join(dir, "audit.log");
    const policy = join(dir, "audit.yaml");
    const rules = [{ level: "Metadata" }];
    writeFileSync(
      policy,
      stringify({ apiVersion: "audit.k8s.io/v1", kind: "Policy", omitStages: ["RequestReceived"], rules }),
    );
    return [`--audit-policy-file=${policy}`, `--audit-log-path=${this.#path}`];
  }

  /** Returns the requests of a user. */
  async of(user: string): Promise<readonly Audited[]> {
    const lines = (await readFile(this.#path, "utf8")).trim().split("\n");
    return lines
      .map((line): Audited => JSON.parse(line))
      .filter(({ user: { username } }) => username === user);
  }
}
