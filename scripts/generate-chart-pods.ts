/**
 * Makes the chart's pods from the static pods of deploy/, so that they have the same volumes, limits and security
 * settings.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceOnce } from "./replace-once.ts";

type Part = "operator" | "api";

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
${indented(placed("operator", podSpec("operator")), 4)}{{- end }}
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
  replaceOnce(placed("operator", podSpec("operator")), "    - name: operator\n", "    - name: doctor\n"),
  "args: [operator, ",
  "args: [doctor, ",
)}`;

/** The API as a DaemonSet of the control-plane nodes, with the certificate of a Secret if one is named. */
export const apiTemplate = (): string => `---
# Configuration, root key and kubeconfig are the node's own, as with the static pod: no ServiceAccount.
apiVersion: apps/v1
kind: DaemonSet
metadata:
  namespace: claviger-system
  name: claviger-api
  labels: &labels
    app.kubernetes.io/name: claviger
    app.kubernetes.io/component: api
spec:
  selector:
    matchLabels: *labels
  # One node after another: the others continue to answer.
  updateStrategy:
    rollingUpdate: { maxUnavailable: 1 }
  template:
    metadata:
      labels: *labels
    spec:
${indented(placed("api", withCertificate(podSpec("api"))), 4)}---
apiVersion: v1
kind: Service
metadata:
  namespace: claviger-system
  name: claviger-api
  labels:
    app.kubernetes.io/name: claviger
    app.kubernetes.io/component: api
spec:
  selector:
    app.kubernetes.io/name: claviger
    app.kubernetes.io/component: api
  ports:
    - { name: https, port: 443, targetPort: https }
`;

/** Mounts the Secret of api.tls beside the node's own files. */
const withCertificate = (spec: string): string =>
  replaceOnce(
    `${spec}${ifCertificate("    - name: tls\n      secret: { secretName: {{ . }}, defaultMode: 256 }\n")}`,
    /^ {2}volumes:\n/m,
    `${ifCertificate("        - { name: tls, mountPath: /etc/claviger-tls, readOnly: true }\n")}  volumes:\n`,
  );

const ifCertificate = (lines: string): string =>
  `  {{- with include "claviger.apiSecret" . }}\n${lines}  {{- end }}\n`;

/** Returns the lines below `spec:`, with the image, the resources and the pull policy of the values. */
function podSpec(part: Part): string {
  const source = `static-pod-${part}.yaml`;
  const text = readFileSync(join(import.meta.dirname, "..", "deploy", source), "utf8");
  const [, spec] = text.split(/^spec:\n/m);
  if (spec === undefined || text.includes("{{")) throw new Error(`deploy/${source} has no spec, or {{`);
  const image = /^ +# The plugin's image(?:.*\n)+? +imagePullPolicy: .*\n/m;
  const resources = /^ +# .*\n +resources:\n(?: +(?:requests|limits): .*\n)+/m;
  const valued = replaceOnce(
    replaceOnce(spec, image, IMAGE),
    resources,
    `      resources:\n        {{- toYaml .Values.${part}.resources | nindent 8 }}\n`,
  );
  // The API server computes the number from the class.
  return replaceOnce(valued, /^ +priority: \d+\n/m, "");
}

const IMAGE = `      image: {{ include "claviger.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
`;

/** Adds where the pod runs, and that it has no identity of the API server. */
const placed = (part: Part, spec: string): string => `  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  nodeSelector:
    {{- toYaml .Values.${part}.nodeSelector | nindent 4 }}
  tolerations:
    {{- toYaml .Values.${part}.tolerations | nindent 4 }}
${spec}`;

/** Indents a text; what Helm prints by nindent is indented further too. */
const indented = (text: string, by: number): string =>
  text
    .replace(/^(?=.)/gm, " ".repeat(by))
    .replaceAll(/nindent (\d+)/g, (_, width: string) => `nindent ${Number(width) + by}`);
