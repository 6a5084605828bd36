import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../test/controlplane/run.ts";
import type { Bench } from "../part.ts";
import { figure, type Table } from "../table.ts";
import type { ApiNode } from "./api-node.ts";
import type { Measured } from "./aws.ts";
import { OURS, PLAIN } from "./candidates.ts";
import { type LayerTimes, STEPS } from "./layer-times.ts";
import type { MeasuredOperation } from "./operations.ts";

/** The connections with which the cost of HTTP and TLS is measured. */
const CONNECTIONS = 16;

/** Runs the steps of requests in a process of their own, without a network. */
export async function measureLayers({ dir, progress }: Bench, node: ApiNode): Promise<readonly LayerTimes[]> {
  progress("aws: layers");
  const file = join(dir, "layers.json");
  const { configPath, address, keys, admin } = node;
  await writeFile(file, JSON.stringify({ configPath, address, keys, admin }));
  const program = join(import.meta.dirname, "layer-times.ts");
  const { code, stdout, stderr } = await run(process.execPath, ["--max-semi-space-size=1", program, file]);
  if (code !== 0) throw new Error(`the measurement of layers failed: ${stderr}`);
  return JSON.parse(stdout);
}

/**
 * Returns the cost of each layer of a call. The steps are measured one by one, each again and again, so that the
 * processor has their code in its caches; HTTP and TLS are the rest of the CPU time of the server's process.
 */
export function layersTable(layers: readonly LayerTimes[], measured: readonly Measured[]): Table {
  return {
    header: ["µs a call, 16 connections", ...STEPS, "HTTP, kernel, cold caches", "TLS", "all"],
    rows: layers.map(({ operation, whole, steps }) => {
      const { secure, plain } = cpuOf(operation, measured);
      const cells = [...STEPS.map((step) => steps[step]), plain - whole, secure - plain, secure];
      return [operation, ...cells.map(figure)];
    }),
  };
}

function cpuOf(operation: MeasuredOperation, measured: readonly Measured[]) {
  const one = measured.find((load) => load.operation === operation && load.connections === CONNECTIONS);
  if (one === undefined) throw new Error(`${operation} was not measured`);
  return { secure: one.cpu.median(OURS), plain: one.cpu.median(PLAIN) };
}
