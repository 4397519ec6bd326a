{{/* What every pod of the portal's own image has in common. */}}
{{- define "portal.podSecurity" -}}
automountServiceAccountToken: false
serviceAccountName: {{ include "portal.fullname" . }}
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "portal.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "portal.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "portal.selector" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "portal.selector" . | nindent 8 }}
{{- end }}

{{- define "portal.databaseEnv" -}}
- name: HPC_PORTAL_DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ include "portal.databaseSecret" . }}, key: {{ include "portal.databaseKey" . }}}
{{- end }}

{{/* What whoever serves pages needs to know who asks, and to sign people in at the city's identity. */}}
{{- define "portal.signInEnv" -}}
- {name: FORWARDED_ALLOW_IPS, value: {{ join "," .Values.web.trustedProxies | quote }}}
{{- with .Values.secrets.identityClientSecret }}{{ if .name }}
- name: HPC_PORTAL_IDENTITY__CLIENT_SECRET
  valueFrom:
    secretKeyRef: {name: {{ .name }}, key: {{ .key }}}
{{- end }}{{ end }}
{{- end }}

{{/* Of the processes that make traces. */}}
{{- define "portal.tracingEnv" -}}
{{- with .Values.secrets.tracingHeaders }}{{ if .name -}}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {name: {{ .name }}, key: {{ .key }}}
{{- end }}{{ end }}
{{- end }}

{{/* Until the migration job is done: old processes live with a newer schema, new ones not with an older. */}}
{{- define "portal.waitForSchema" -}}
- name: wait-for-schema
  image: {{ include "portal.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [hpc-portal, db, wait]
  env: {{- include "portal.databaseEnv" . | nindent 4 }}
  {{- include "portal.containerSecurity" . | nindent 2 }}
  resources:
    requests: {cpu: 50m, memory: 128Mi}
    limits: {memory: 256Mi}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: state, mountPath: /var/lib/hpc-portal}
{{- end }}

{{- define "portal.emptyFolders" -}}
- name: tmp
  emptyDir: {sizeLimit: 2Gi}
- name: state
  emptyDir: {sizeLimit: 1Gi}
{{- end }}

{{- define "portal.workspaceVolume" -}}
- name: workspaces
  persistentVolumeClaim: {claimName: {{ include "portal.workspaceClaim" . }}}
{{- end }}

{{- define "portal.checksum" -}}
checksum/settings: {{ include (print $.Template.BasePath "/settings.yaml") . | sha256sum }}
{{- end }}
