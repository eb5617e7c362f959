{{- define "mixpeek.labels" -}}
app.kubernetes.io/name: mixpeek
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "mixpeek.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "mixpeek.env" -}}
envFrom:
  - secretRef:
      name: {{ .Values.existingSecret }}
env:
  - name: MIXPEEK_DATA_DIR
    value: /data
  - name: MIXPEEK_LOG_FORMAT
    value: json
  - name: MIXPEEK_MIGRATE
    value: command
  {{- if .Values.ray.enabled }}
  - name: MIXPEEK_EXECUTION
    value: "ray:{{ .Release.Name }}-ray-head-svc:6379"
  {{- end }}
  {{- range $name, $value := .Values.settings }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
{{- end }}

{{- define "mixpeek.pod" -}}
hostUsers: {{ .Values.sandbox.hostUsers }}
automountServiceAccountToken: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
volumes:
  - name: data
    emptyDir:
      sizeLimit: {{ .Values.cache.sizeLimit }}
{{- end }}

{{- define "mixpeek.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        app.kubernetes.io/instance: {{ .root.Release.Name }}
        app.kubernetes.io/component: {{ .component }}
{{- end }}
