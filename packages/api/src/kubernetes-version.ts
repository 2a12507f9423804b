/** The Kubernetes release whose API this is. */
export const kubernetesVersion = "1.37.2"
