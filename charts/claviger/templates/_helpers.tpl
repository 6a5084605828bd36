{{- define "claviger.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{- define "claviger.apiSecret" -}}
{{ .Values.api.tls.secret | default (empty .Values.api.tls.certManager.issuerRef | ternary "" "claviger-api-tls") }}
{{- end }}
