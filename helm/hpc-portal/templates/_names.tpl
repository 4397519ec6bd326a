{{- define "portal.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "portal.fullname" -}}
{{- $name := include "portal.name" . }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "portal.selector" -}}
app.kubernetes.io/name: {{ include "portal.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "portal.labels" -}}
{{ include "portal.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* An image of `image.registry`: a digest wins over a tag, a tag over the chart's appVersion. */}}
{{- define "portal.imageOf" -}}
{{- $name := .image.repository }}
{{- with .root.Values.image.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" .) $name }}{{ end }}
{{- if .image.digest }}{{ printf "%s@%s" $name .image.digest }}{{ else }}{{ printf "%s:%s" $name (default .root.Chart.AppVersion .image.tag) }}{{ end }}
{{- end }}

{{- define "portal.image" -}}
{{ include "portal.imageOf" (dict "root" . "image" .Values.image) }}
{{- end }}

{{- define "portal.databaseSecret" -}}
{{- if .Values.database.cloudnativepg.enabled }}{{ include "portal.fullname" . }}-db-app{{ else }}{{ .Values.database.secret.name }}{{ end }}
{{- end }}

{{- define "portal.databaseKey" -}}
{{- if .Values.database.cloudnativepg.enabled }}uri{{ else }}{{ .Values.database.secret.key }}{{ end }}
{{- end }}

{{- define "portal.workspaceClaim" -}}
{{- default (printf "%s-workspaces" (include "portal.fullname" .)) .Values.workspaces.existingClaim }}
{{- end }}
