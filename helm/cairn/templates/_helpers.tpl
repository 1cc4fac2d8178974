{{- define "cairn.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* Takes (dict "root" $ "component" "node"). Never changes in a release's life: StatefulSets select by it. */}}
{{- define "cairn.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "cairn.labels" -}}
{{ include "cairn.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "cairn.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "cairn.coordinator" -}}
{{ include "cairn.fullname" . }}-coordinator.{{ .Release.Namespace }}.svc:7400
{{- end -}}

{{- define "cairn.adminSecret" -}}
{{ .Values.coordinator.adminSecret | default (printf "%s-admin" (include "cairn.fullname" .)) }}
{{- end -}}

{{- define "cairn.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (ternary (include "cairn.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end -}}

{{/* Where tls.secretName is mounted. */}}
{{- define "cairn.tlsFolder" -}}
/etc/cairn-tls
{{- end -}}

{{/* The options of those who call the coordinator, by name: a JSON object, for flags and variables. */}}
{{- define "cairn.tlsOptions" -}}
{{- $folder := include "cairn.tlsFolder" . -}}
{{- $options := dict -}}
{{- if .Values.tls.enabled -}}
{{- $_ := set $options "ca_file" (printf "%s/ca.crt" $folder) -}}
{{- if .Values.tls.requireClientCertificates -}}
{{- $_ := set $options "certificate_file" (printf "%s/tls.crt" $folder) -}}
{{- $_ := set $options "key_file" (printf "%s/tls.key" $folder) -}}
{{- end -}}
{{- end -}}
{{- $options | toJson -}}
{{- end -}}

{{/* The same as variables, for commands: a list of env. */}}
{{- define "cairn.tlsEnv" -}}
{{- range $name, $path := include "cairn.tlsOptions" . | fromJson }}
- {name: CAIRN_{{ upper $name }}, value: {{ $path }}}
{{- end }}
{{- end -}}

{{/* Takes (dict "root" $ "key" true). Who does not present the certificate does not get its key. */}}
{{- define "cairn.tlsVolume" -}}
- name: tls
  secret:
    secretName: {{ .root.Values.tls.secretName }}
    defaultMode: 0440
    {{- if not .key }}
    items: [{key: ca.crt, path: ca.crt}]
    {{- end }}
{{- end -}}

{{/* What every pod has. Takes (dict "root" $ "seccompProfile" ""). */}}
{{- define "cairn.podSpec" -}}
serviceAccountName: {{ include "cairn.serviceAccountName" .root }}
automountServiceAccountToken: false
# Kubernetes would set CAIRN_COORDINATOR_PORT and the like for the release's services, and Cairn
# refuses CAIRN_ variables that it does not know.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    {{- if .seccompProfile }}
    type: Localhost
    localhostProfile: {{ .seccompProfile }}
    {{- else }}
    type: RuntimeDefault
    {{- end }}
{{- end -}}

{{/* Takes the list of capabilities to add. */}}
{{- define "cairn.containerSecurity" -}}
securityContext:
  runAsNonRoot: true
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  privileged: false
  capabilities:
    drop: [ALL]
    {{- with . }}
    add: {{ toJson . }}
    {{- end }}
{{- end -}}

{{/* Takes (dict "startupTimeoutSeconds" 60). */}}
{{- define "cairn.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: {{ div (add .startupTimeoutSeconds 1) 2 }}
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/* Those who may use the cache, and the test of the release. */}}
{{- define "cairn.clientPeers" -}}
{{- with .Values.networkPolicy.clients }}
{{ toYaml . }}
{{- end }}
- podSelector:
    matchLabels:
      {{- include "cairn.selectorLabels" (dict "root" . "component" "test") | nindent 6 }}
{{- end -}}
