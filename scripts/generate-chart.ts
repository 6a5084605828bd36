/**
 * Writes charts/claviger/templates from crds/ and deploy/, so that the chart installs the same objects as `kubectl apply`. A test fails if they differ.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { rows } from "./dashboard-panels.ts";
import { apiTemplate, doctorTemplate, operatorTemplate } from "./generate-chart-pods.ts";
import { crdFiles } from "./generate-crds.ts";
import { dashboard } from "./generate-dashboard.ts";
import { replaceOnce } from "./replace-once.ts";

const ROOT = join(import.meta.dirname, "..");
export const TEMPLATES = join(ROOT, "charts", "claviger", "templates");

/** The dashboard that the chart's ConfigMap takes, and that can be imported into Grafana as it is. */
export const DASHBOARD = join(ROOT, "charts", "claviger", "files", "dashboard.json");
export const dashboardText = (): string => `${JSON.stringify(dashboard(rows), undefined, 2)}\n`;

/** Helm keeps an object with this annotation, whatever happens to the release. */
const KEEP = "helm.sh/resource-policy: keep";

/** Returns the generated templates by name. */
export function chartFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...[...crdFiles()].map(([name, text]) => [name, crdTemplate(name, text)] as const),
    ["rbac.yaml", rbacTemplate()],
    ["admission.yaml", admissionTemplate()],
    ["rewriter.yaml", rewriterTemplate()],
    [
      "storage-version-migration.yaml",
      header("deploy/storage-version-migration.yaml") +
        where(".Values.storageVersionMigration.enabled", deployed("storage-version-migration.yaml")),
    ],
    ["roles.yaml", header("deploy/roles.yaml") + where(".Values.roles.enabled", deployed("roles.yaml"))],
    ["alerts.yaml", alertsTemplate()],
    ["operator.yaml", header("deploy/static-pod-operator.yaml") + operatorTemplate()],
    [
      "api.yaml",
      header("deploy/api.yaml and deploy/static-pod-api.yaml") +
        where(".Values.api.enabled", deployed("api.yaml") + apiTemplate()),
    ],
    [
      "pod-environment.yaml",
      header("deploy/pod-environment.yaml") +
        where(
          'and .Values.api.enabled .Values.api.podEnvironment.enabled (semverCompare ">=1.36.0-0" .Capabilities.KubeVersion.Version)',
          podEnvironmentTemplate(),
        ),
    ],
    ["tests/doctor.yaml", header("deploy/static-pod-operator.yaml") + doctorTemplate()],
  ]);
}

function crdTemplate(name: string, text: string): string {
  const { comment, rest } = withoutComment(literal(`crds/${name}`, text));
  if (!comment.startsWith("# Generated ")) throw new Error(`crds/${name} does not say that it is generated`);
  const kept = replaceOnce(rest, /^metadata:\n/m, `metadata:\n  annotations:\n    ${KEEP}\n`);
  return header(`crds/${name}`) + where(".Values.crds.enabled", kept);
}

/**
 * A release in claviger-system finds its namespace already there, created by Helm or before, and cannot adopt
 * it.
 */
function rbacTemplate(): string {
  const name = "  name: claviger-system\n";
  const namespace = `---\napiVersion: v1\nkind: Namespace\nmetadata:\n${name}`;
  const kept = namespace.replace(name, `${name}  annotations:\n    ${KEEP}\n`);
  const text = replaceOnce(
    deployed("rbac.yaml"),
    namespace,
    where('ne .Release.Namespace "claviger-system"', kept),
  );
  return header("deploy/rbac.yaml") + text;
}

/** Fails if the API server does not support it: a guard may only be left out on purpose. */
function admissionTemplate(): string {
  const refused = where(
    'semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version',
    '{{- fail "admission.enabled needs Kubernetes 1.30 or newer; on 1.29 set it to false, and read docs/threat-model.md" }}\n',
  );
  return (
    header("deploy/admission.yaml") + where(".Values.admission.enabled", refused + deployed("admission.yaml"))
  );
}

/** The policy with the values of api.podEnvironment as its variables. The schema admits no quotes in them. */
const podEnvironmentTemplate = (): string =>
  ["endpoint", "region", "account", "audience", "caConfigMap"].reduce((text, name) => {
    const [variable = ""] = new RegExp(`- name: ${name}\\n +expression: .*`).exec(text) ?? [];
    const valued = variable.replace(/"'.*'"$/, () => `"'{{ .Values.api.podEnvironment.${name} }}'"`);
    return replaceOnce(text, variable, valued);
  }, deployed("pod-environment.yaml"));

function rewriterTemplate(): string {
  const rule = '  - apiGroups: [""]\n    resources: [secrets]\n';
  const verbs = "    verbs: [get, list, patch]\n";
  const perResource = [
    "{{- range .Values.rewriter.resources }}",
    '{{- $parts := splitn "." 2 . }}',
    '  - apiGroups: [{{ $parts._1 | default "" | quote }}]',
    "    resources: [{{ $parts._0 | quote }}]",
    `${verbs}{{- end }}\n`,
  ].join("\n");
  const text = replaceOnce(deployed("rewriter.yaml"), rule + verbs, perResource);
  return header("deploy/rewriter.yaml") + where(".Values.rewriter.enabled", text);
}

/** The address that deploy/prometheus-rules.yaml has in its runbook_urls; a value of the chart replaces it. */
const RUNBOOKS = "https://claviger.dev/docs/runbooks/";

function alertsTemplate(): string {
  const { groups } = parse(read("deploy", "prometheus-rules.yaml"));
  const rule = {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PrometheusRule",
    metadata: { namespace: "claviger-system", name: "claviger" },
    spec: { groups },
  };
  const text = escaped(stringify(rule, { lineWidth: 0 }));
  const name = "  name: claviger\n";
  const labels = where(".Values.alerts.labels", "  labels:\n    {{- toYaml . | nindent 4 }}\n", "with");
  const linked = text.replaceAll(RUNBOOKS, '{{ .Values.alerts.runbookUrl | trimSuffix "/" }}/');
  return (
    header("deploy/prometheus-rules.yaml") +
    where(".Values.alerts.enabled", replaceOnce(linked, new RegExp(`^${name}`, "m"), name + labels))
  );
}

const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), "utf8");

/** Returns text that Helm prints as it is, the expressions of Prometheus' own templates included. */
const escaped = (text: string): string => text.replaceAll("{{", '{{ "{{" }}');

const deployed = (name: string): string => literal(`deploy/${name}`, read("deploy", name));

/** Returns text that Helm does not interpret. */
function literal(path: string, text: string): string {
  if (text.includes("{{")) throw new Error(`${path} has {{, which Helm would take for its own`);
  return text;
}

const header = (path: string): string =>
  `{{- /* Generated from ${path} by \`npm run generate\`. Do not edit. */ -}}\n`;

const where = (condition: string, text: string, keyword = "if"): string =>
  `{{- ${keyword} ${condition} }}\n${text}{{- end }}\n`;

function withoutComment(text: string): { readonly comment: string; readonly rest: string } {
  const end = text.indexOf("\n") + 1;
  return { comment: text.slice(0, end), rest: text.slice(end) };
}

if (import.meta.main) {
  mkdirSync(join(TEMPLATES, "tests"), { recursive: true });
  for (const [name, text] of chartFiles()) writeFileSync(join(TEMPLATES, name), text);
  writeFileSync(DASHBOARD, dashboardText());
}
