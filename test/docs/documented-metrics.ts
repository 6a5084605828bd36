import { read } from "./markdown.ts";

export type Exposer = "plugin" | "operator" | "AWS KMS API";

/** Returns the names in the tables of docs/metrics.md that a process of this kind must expose, in order. */
export function documentedMetrics(exposer: Exposer): string[] {
  const sections = read("docs/metrics.md").split(/^## /m);
  const wanted = sections.filter(
    (text) => text.startsWith(`Metrics of the ${exposer}\n`) || text.startsWith("Metrics of all three\n"),
  );
  return wanted.flatMap((text) => [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = ""]) => name)).sort();
}
