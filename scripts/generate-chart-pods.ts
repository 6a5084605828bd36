/**
 * Makes the chart's pods from deploy/static-pod-operator.yaml, so that they have the same volumes, limits and
 * security settings as the static pod.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceOnce } from "./replace-once.ts";

const SOURCE = "static-pod-operator.yaml";

/** The operator as a DaemonSet of the control-plane nodes. */
export const operatorTemplate = (): string => `{{- if .Values.operator.enabled }}
# The node's own kubeconfig, root key and state folder, as with the static pod: no ServiceAccount,
# no Secret. So the pod starts although the API server cannot read Secrets yet.
apiVersion: apps/v1
kind: DaemonSet
metadata:
  namespace: claviger-system
  name: claviger-operator
  labels: &labels
    app.kubernetes.io/name: claviger
    app.kubernetes.io/component: operator
spec:
  selector:
    matchLabels: *labels
  # One node after another: the others continue to lead and to report.
  updateStrategy:
    rollingUpdate: { maxUnavailable: 1 }
  template:
    metadata:
      labels: *labels
    spec:
${indented(placed(podSpec()), 4)}{{- end }}
`;

/** The pod of `helm test`: claviger doctor on a control-plane node. */
export const doctorTemplate =
  (): string => `# Run by helm test: claviger doctor on one control-plane node, in the image of the static pods.
apiVersion: v1
kind: Pod
metadata:
  namespace: claviger-system
  name: claviger-doctor
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
${replaceOnce(
  replaceOnce(placed(podSpec()), "    - name: operator\n", "    - name: doctor\n"),
  "args: [operator, ",
  "args: [doctor, ",
)}`;

/** Returns the lines below `spec:`, with the image, the resources and the pull policy of the values. */
function podSpec(): string {
  const text = readFileSync(join(import.meta.dirname, "..", "deploy", SOURCE), "utf8");
  const [, spec] = text.split(/^spec:\n/m);
  if (spec === undefined || text.includes("{{")) throw new Error(`deploy/${SOURCE} has no spec, or {{`);
  const image = /^ +# The plugin's image(?:.*\n)+? +imagePullPolicy: .*\n/m;
  const resources = /^ +# A re-encryption.*\n +resources:\n(?: +(?:requests|limits): .*\n)+/m;
  const valued = replaceOnce(
    replaceOnce(spec, image, IMAGE),
    resources,
    "      resources:\n        {{- toYaml .Values.operator.resources | nindent 8 }}\n",
  );
  // The API server computes the number from the class.
  return replaceOnce(valued, /^ +priority: \d+\n/m, "");
}

const IMAGE = `      image: {{ include "claviger.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
`;

/** Adds where the pod runs, and that it has no identity of the API server. */
const placed = (spec: string): string => `  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  nodeSelector:
    {{- toYaml .Values.operator.nodeSelector | nindent 4 }}
  tolerations:
    {{- toYaml .Values.operator.tolerations | nindent 4 }}
${spec}`;

/** Indents a text; what Helm prints by nindent is indented further too. */
const indented = (text: string, by: number): string =>
  text
    .replace(/^(?=.)/gm, " ".repeat(by))
    .replaceAll(/nindent (\d+)/g, (_, width: string) => `nindent ${Number(width) + by}`);
