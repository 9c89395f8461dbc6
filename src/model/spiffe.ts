// SPIFFE IDs of Kubernetes workloads. The path convention is the one SPIRE and Istio share, so that policies carry over.

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` */
export function workloadSpiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
