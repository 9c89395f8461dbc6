{{/* Labels that say what an object is part of. Takes (list $ "component"). */}}
{{- define "trellis.labels" -}}
{{- $root := index . 0 -}}
{{ include "trellis.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: trellis
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* Those that never change. Takes (list $ "component"). */}}
{{- define "trellis.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: trellis
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "trellis.image" -}}
{{- $image := .Values.image -}}
{{- required "image.repository is not set. No container image of Trellis is published yet: build one whose entry point is trellis, push it, and name it here" $image.repository -}}
{{- if not (or $image.tag $image.digest) -}}
{{- fail "image.tag and image.digest are not set: give one of them, best the digest" -}}
{{- end -}}
{{- with $image.tag }}:{{ . }}{{ end -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* host:port to listen on. Takes (list "host" port). */}}
{{- define "trellis.listen" -}}
{{- $host := index . 0 -}}
{{- if contains ":" $host }}[{{ $host }}]{{ else }}{{ $host }}{{ end }}:{{ index . 1 }}
{{- end -}}

{{/* Of every pod: what the restricted Pod Security Standard asks for. */}}
{{- define "trellis.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "trellis.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Of both processes; the port is called metrics. */}}
{{- define "trellis.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* Why this release cannot be, in words. Included once. */}}
{{- define "trellis.check" -}}
{{- if and (semverCompare "<4.0.0-0" .Capabilities.HelmVersion.Version) (not .Values.allowHelm3) -}}
{{- fail "Helm 4 is needed: Helm 3 removes webhook configurations last when it uninstalls, and until then every pod is refused. Set allowHelm3=true if you will remove them yourself (README.md says how), or if something else applies what Helm renders" -}}
{{- end -}}
{{- if eq .Release.Namespace "default" -}}
{{- fail "the namespace default is not for Trellis: pods of the release's own namespace are not judged. Install it with --namespace trellis-system --create-namespace" -}}
{{- end -}}
{{- $certificate := .Values.webhook.certificate -}}
{{- if eq $certificate.mode "cert-manager" -}}
{{- if not $certificate.certManager.issuerRef.name -}}
{{- fail "webhook.certificate.mode cert-manager needs webhook.certificate.certManager.issuerRef.name: the issuer that is to sign the webhook's certificate" -}}
{{- end -}}
{{- end -}}
{{- if eq $certificate.mode "provided" -}}
{{- if not $certificate.provided.secretName -}}
{{- fail "webhook.certificate.mode provided needs webhook.certificate.provided.secretName: the Secret with tls.crt and tls.key" -}}
{{- end -}}
{{- if not $certificate.provided.caBundle -}}
{{- fail "webhook.certificate.mode provided needs webhook.certificate.provided.caBundle: without it API servers cannot check the certificate, and refuse every pod" -}}
{{- end -}}
{{- else if or $certificate.provided.secretName $certificate.provided.caBundle -}}
{{- fail "webhook.certificate.provided is set and would not be used: set webhook.certificate.mode to provided, or leave it out" -}}
{{- end -}}
{{- if and .Values.sidecar.acceptedImages (not .Values.sidecar.image) -}}
{{- fail "sidecar.acceptedImages means nothing without sidecar.image: name the image that is injected" -}}
{{- end -}}
{{- end -}}

{{- define "trellis.webhook.certificateSecret" -}}
{{- $certificate := .Values.webhook.certificate -}}
{{- if eq $certificate.mode "managed" -}}
{{ .Values.webhook.name }}-certificate
{{- else if eq $certificate.mode "cert-manager" -}}
{{ .Values.webhook.name }}-tls
{{- else -}}
{{ $certificate.provided.secretName }}
{{- end -}}
{{- end -}}

{{/* What both webhooks have in common. Takes (list $ "/path"). */}}
{{- define "trellis.webhook.common" -}}
{{- $root := index . 0 -}}
{{- $webhook := $root.Values.webhook -}}
admissionReviewVersions: [v1]
# Events are written about what was decided, and not about dry runs.
sideEffects: NoneOnDryRun
# Also in other versions of the API than the one that a rule names.
matchPolicy: Equivalent
timeoutSeconds: {{ $webhook.timeoutSeconds }}
namespaceSelector:
  matchExpressions:
  # The API server itself writes this label: nobody can give a namespace the name of another.
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{ append $root.Values.exemptNamespaces $root.Release.Namespace | uniq | sortAlpha | toJson }}
clientConfig:
  service:
    namespace: {{ $root.Release.Namespace }}
    name: {{ $webhook.name }}
    path: {{ index . 1 }}
    port: 443
  {{- if eq $webhook.certificate.mode "provided" }}
  caBundle: {{ $webhook.certificate.provided.caBundle | default "" | b64enc }}
  {{- end }}
{{- end -}}

{{/* Annotations of both webhook configurations. */}}
{{- define "trellis.webhook.configurationAnnotations" -}}
{{- if eq .Values.webhook.certificate.mode "cert-manager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "trellis.webhook.certificateSecret" . }}
{{- end }}
{{- end -}}
