/**
 * What the signers of a cluster sign, and whether a request asks for that. Pure; reasons in upstream's words.
 * Mirrors: pkg/apis/certificates/helpers.go, pkg/controller/certificates/signer/signer.go
 */
import type { CertificateRequest } from "@knarr/base"

export const kubeletClientSigner = "kubernetes.io/kube-apiserver-client-kubelet"

type Rule = (request: CertificateRequest, usages: readonly string[]) => string | undefined

/** By signer: why a request is not to be signed; undefined when it is. */
export const signerRules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["kubernetes.io/kubelet-serving", kubeletServingProblem],
  [kubeletClientSigner, kubeletClientProblem],
  ["kubernetes.io/kube-apiserver-client", (_request, usages) => clientProblem(usages)],
  ["kubernetes.io/legacy-unknown", () => undefined],
])

export function kubeletClientProblem(
  { commonName, organizations, names }: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  if (!isNode(organizations)) return notANode
  if (names.dnsNames.length > 0) return "DNS subjectAltNames are not allowed"
  if (names.emailAddresses.length > 0) return "Email subjectAltNames are not allowed"
  if (names.ipAddresses.length > 0) return "IP subjectAltNames are not allowed"
  if (names.uris.length > 0) return "URI subjectAltNames are not allowed"
  return nameProblem(commonName) ?? usageProblem(usages, "client auth")
}

function kubeletServingProblem(
  { commonName, organizations, names }: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  if (!isNode(organizations)) return notANode
  if (names.dnsNames.length === 0 && names.ipAddresses.length === 0)
    return "DNS or IP subjectAltName is required"
  if (names.emailAddresses.length > 0) return "Email subjectAltNames are not allowed"
  if (names.uris.length > 0) return "URI subjectAltNames are not allowed"
  return usageProblem(usages, "server auth") ?? nameProblem(commonName)
}

const notANode = "subject organization is not system:nodes"

function isNode(organizations: readonly string[]): boolean {
  return organizations.length === 1 && organizations[0] === "system:nodes"
}

function nameProblem(commonName: string): string | undefined {
  return commonName.startsWith("system:node:")
    ? undefined
    : "subject common name does not begin with system:node:"
}

/** Keys that are not RSA encipher none. */
function usageProblem(usages: readonly string[], purpose: string): string | undefined {
  const all = ["digital signature", "key encipherment", purpose].sort()
  const asked = new Set(usages)
  const others = new Set(all).symmetricDifference(asked)
  const isRight = others.size === 0 || (others.size === 1 && others.has("key encipherment"))
  return isRight ? undefined : `usages did not match [${all.join(" ")}]`
}

function clientProblem(usages: readonly string[]): string | undefined {
  const purpose = "client auth"
  const other = usages.find((usage) => !["digital signature", "key encipherment", purpose].includes(usage))
  if (other !== undefined) return `invalid usage for client certificate: ${other}`
  return usages.includes(purpose) ? undefined : `missing required usage for client certificate: ${purpose}`
}
