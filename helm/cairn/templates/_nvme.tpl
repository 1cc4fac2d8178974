{{/* A node's mounted folders. The first is its state folder: identity and blocks belong together, for a
     drive refuses another node. */}}
{{- define "cairn.nodeFolders" -}}
{{- $nvme := .Values.nodes.nvme -}}
{{- $folders := list -}}
{{- if has $nvme.type (list "pvc" "hostPath") -}}
{{- $count := ternary (len $nvme.hostPaths) (int $nvme.volumes) (eq $nvme.type "hostPath") -}}
{{- range $i := until $count -}}
{{- $path := ternary "/var/lib/cairn" (printf "/var/lib/cairn-%d" $i) (eq $i 0) -}}
{{- $folders = append $folders (dict "name" (printf "drive-%d" $i) "path" $path) -}}
{{- end -}}
{{- else -}}
{{- $folders = list (dict "name" "state" "path" "/var/lib/cairn") -}}
{{- end -}}
{{ toJson $folders }}
{{- end -}}

{{/* What --nvme gets: the folders, or the devices. */}}
{{- define "cairn.nvmePaths" -}}
{{- $paths := list -}}
{{- if eq .Values.nodes.nvme.type "block" -}}
{{- range $i := until (int .Values.nodes.nvme.volumes) -}}
{{- $paths = append $paths (printf "/dev/cairn-%d" $i) -}}
{{- end -}}
{{- else -}}
{{- range $folder := include "cairn.nodeFolders" . | fromJsonArray -}}
{{- $paths = append $paths $folder.path -}}
{{- end -}}
{{- end -}}
{{ join "," $paths }}
{{- end -}}
