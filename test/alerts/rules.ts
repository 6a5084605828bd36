import { join } from "node:path";
import { parse } from "yaml";
import { ROOT, read } from "../docs/markdown.ts";

export const RULES = join(ROOT, "deploy", "prometheus-rules.yaml");

/** An alert of deploy/prometheus-rules.yaml. */
export interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export const rules: readonly Rule[] = parse(read("deploy/prometheus-rules.yaml")).groups[0].rules;
