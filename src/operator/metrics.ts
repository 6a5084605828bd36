import type { CertificateFile } from "../kube/certificate-expiry.ts";
import { conditionOf } from "../resources/conditions.ts";
import type { View } from "../store/view.ts";
import { expiriesOf } from "./import/material-expiry.ts";
import { keyGauges } from "./key-gauges.ts";

/** The sources of the gauges, read at each scrape. */
export interface OperatorGauges {
  readonly leading: () => boolean;
  readonly view: () => View | undefined;
  /** Passes that failed and are retried, since the start. */
  readonly failures: () => number;
  /** Passes that met a conflict and are retried, since the start. */
  readonly conflicts: () => number;
  /** Objects that wait for the leader's next pass. */
  readonly waiting: () => number;
  /** The client certificates of this node. */
  readonly certificates: () => readonly CertificateFile[];
}

/** Renders the operator's metrics in Prometheus' text format. Loads prom-client when called. */
export async function loadOperatorMetrics(source: OperatorGauges): Promise<() => Promise<string>> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import("prom-client");
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "claviger_operator_leading",
    help: "1 if this operator leads, otherwise 0.",
    registers,
    collect() {
      this.set(source.leading() ? 1 : 0);
    },
  });
  new Counter({
    name: "claviger_operator_failures_total",
    help: "Passes that failed and were tried again.",
    registers,
    collect() {
      this.reset();
      this.inc(source.failures());
    },
  });
  new Counter({
    name: "claviger_operator_conflicts_total",
    help: "Passes that met a conflict and were tried again: somebody was faster, or a watch is late.",
    registers,
    collect() {
      this.reset();
      this.inc(source.conflicts());
    },
  });
  new Gauge({
    name: "claviger_operator_queue_length",
    help: "Objects that wait for this operator's next pass over them as leader.",
    registers,
    collect() {
      this.set(source.waiting());
    },
  });
  new Gauge({
    name: "claviger_key_material_expiry_timestamp_seconds",
    help: "When the imported material of a key's version expires, in epoch seconds; absent if it does not.",
    labelNames: ["namespace", "name", "version"],
    registers,
    collect() {
      this.reset();
      for (const { version, at } of expiriesOf(source.view()?.keyVersions ?? [])) {
        const { masterKey, number } = version.spec;
        this.set({ ...masterKey, version: number }, at / 1000);
      }
    },
  });
  new Gauge({
    name: "claviger_client_certificate_expiry_timestamp_seconds",
    help: "When a client certificate of this node expires, in epoch seconds.",
    labelNames: ["file"],
    registers,
    collect() {
      this.reset();
      for (const { path, expiresAt } of source.certificates()) this.set({ file: path }, expiresAt / 1000);
    },
  });
  new Gauge({
    name: "claviger_api_server_in_step",
    help: "1 if a node's API server uses the EncryptionConfiguration on the disk and asks for Status, 0 if not; absent if it is not known.",
    labelNames: ["node"],
    registers,
    collect() {
      this.reset();
      for (const { metadata, status } of source.view()?.keyServers ?? []) {
        const found = conditionOf(status?.conditions, "ApiServerInStep")?.status;
        if (found === "True" || found === "False")
          this.set({ node: metadata.name }, Number(found === "True"));
      }
    },
  });
  for (const { name, help, value } of keyGauges) {
    new Gauge({
      name,
      help,
      labelNames: ["namespace", "name"],
      registers,
      collect() {
        this.reset();
        for (const masterKey of source.view()?.masterKeys ?? []) {
          const { namespace = "", name: keyName } = masterKey.metadata;
          const found = value(masterKey);
          if (found !== undefined) this.set({ namespace, name: keyName }, found);
        }
      },
    });
  }
  for (const [name, help, objects] of readiness) {
    new Gauge({
      name,
      help,
      labelNames: ["ready", "reason"],
      registers,
      collect() {
        this.reset();
        for (const { status } of objects(source.view())) {
          const ready = conditionOf(status?.conditions, "Ready");
          this.inc({ ready: ready?.status ?? "Unknown", reason: ready?.reason ?? "NoStatus" });
        }
      },
    });
  }
  return () => registry.metrics();
}

const readiness = [
  [
    "claviger_master_keys",
    "MasterKeys by their Ready condition.",
    (view: View | undefined) => view?.masterKeys ?? [],
  ],
  [
    "claviger_key_aliases",
    "KeyAliases by their Ready condition.",
    (view: View | undefined) => view?.keyAliases ?? [],
  ],
  [
    "claviger_key_servers",
    "Nodes by their Ready condition.",
    (view: View | undefined) => view?.keyServers ?? [],
  ],
] as const;
