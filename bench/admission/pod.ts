// A pod as people write them: three containers, with what well-kept manifests say about each.

/** Images of its containers. */
export type Images = readonly [app: string, cache: string, log: string];

/** `metadata` and `spec`; whoever makes it gives it a name. */
export function podOf([app, cache, log]: Images): object {
  return {
    metadata: {
      generateName: 'gateway-',
      labels: {
        'app.kubernetes.io/name': 'gateway',
        'app.kubernetes.io/part-of': 'trading',
        'app.kubernetes.io/version': '1.4.2',
        'pod-template-hash': '6c5d8bb5d',
      },
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9090' },
    },
    spec: {
      securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [container('app', app, 8080), container('cache', cache, 6379), container('log', log, 9090)],
      volumes: [
        { name: 'temporary', emptyDir: { sizeLimit: '64Mi' } },
        { name: 'configuration', configMap: { name: 'gateway' } },
      ],
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: { 'app.kubernetes.io/name': 'gateway' } },
        },
      ],
    },
  };
}

function container(name: string, image: string, port: number): object {
  const probe = (path: string) => ({ httpGet: { path, port: 'main' }, periodSeconds: 5, timeoutSeconds: 2 });
  return {
    ...{ name, image },
    args: ['--config=/etc/gateway/config.yaml', `--listen=:${port}`],
    ports: [{ name: 'main', containerPort: port, protocol: 'TCP' }],
    env: [
      { name: 'LOG_LEVEL', value: 'info' },
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'DATABASE', valueFrom: { secretKeyRef: { name: 'gateway', key: 'database' } } },
    ],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    readinessProbe: probe('/ready'),
    livenessProbe: probe('/alive'),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'temporary', mountPath: '/tmp' },
      { name: 'configuration', mountPath: '/etc/gateway', readOnly: true },
    ],
  };
}
