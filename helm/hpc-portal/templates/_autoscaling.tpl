{{/*
A pool that grows with what open jobs ask of its partition: as many pods as the scarcest resource needs. It shrinks to
the highest pod that has a task, after a quarter of an hour. Queries without an answer (no portal, no Prometheus, no
database) are errors, so that KEDA leaves the pool as it is.
*/}}
{{- define "portal.scaledPool" -}}
{{- $auto := .given.autoscaling }}
{{- $partition := default .pool $auto.partition }}
{{- $names := list }}
{{- range default (list (dict "name" "main")) .root.Values.settings.partitions }}{{ $names = append $names .name }}{{ end }}
{{- if not (has $partition $names) }}
{{- fail (printf "dask.pools.%s.autoscaling.partition: settings.partitions has no %s, but %s" .pool $partition (join ", " $names)) }}
{{- end }}
{{- $cluster := default "danang" .root.Values.settings.cluster_name }}
{{- $place := printf "cluster=%q,partition=%q" $cluster $partition }}
{{- $most := printf "max(hpc_wanted_nodes_at_once{%s})" $place }}
{{- $wanted := printf "max(hpc_wanted_tres{%s,tres=%%q})" $place }}
{{- $asked := list
  (list "nodes" $most 1)
  (list "cpus" (printf $wanted "cpu") .given.cpus)
  (list "memory" (printf $wanted "mem") .given.memoryMiB) }}
{{- with .given.gpus }}
{{- $asked = append $asked (list "gpus" (printf $wanted "gres/gpu") .count) }}
{{- end }}
{{- $asked = append $asked (list "busy" (printf "max(hpc_nodes_busy_below{cluster=%q,group=%q}) or 0 * %s" $cluster .name $most) 1) }}
{{- $wake := mergeOverwrite (deepCopy .root.Values.dask.wake) (default dict $auto.wake) }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .name }}
  labels: {{- include "portal.labels" (dict "root" .root "component" (printf "dask-worker-%s" .pool)) | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: {{ .name }}}
  minReplicaCount: {{ $auto.minReplicas }}
  maxReplicaCount: {{ $auto.maxReplicas }}
  cooldownPeriod: 900
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown: {stabilizationWindowSeconds: 900}
  triggers:
    {{- range $asked }}
    - type: prometheus
      name: {{ index . 0 }}
      metricType: AverageValue
      metadata:
        serverAddress: {{ $auto.prometheus }}
        query: {{ index . 1 | quote }}
        threshold: {{ int64 (index . 2) | quote }}
        ignoreNullValues: "false"
    {{- end }}
    {{- if $wake.start }}
    # So that the portal knows what nodes there are: it refuses jobs that no node it saw within seven days could take.
    - type: cron
      name: wake
      metadata:
        timezone: {{ $wake.timezone }}
        start: {{ $wake.start | quote }}
        end: {{ $wake.end | quote }}
        desiredReplicas: {{ int64 $auto.maxReplicas | quote }}
    {{- end }}
{{- end }}
