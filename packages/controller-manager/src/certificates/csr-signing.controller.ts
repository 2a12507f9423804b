/** Signs what was approved, for the cluster's own signers. Mirrors: pkg/controller/certificates/signer */
import { certificateSigningRequest, parseSigningRequest, type CertificateSigningRequest } from "@knarr/api"
import { formatTime, isConditionTrue } from "@knarr/apimachinery"
import { certifyRequest, type KeyPair } from "@knarr/base"
import { allow, defineController, recordEvents, type Controller } from "@knarr/controller-kit"
import { signerRules } from "./request-rules.ts"
import { signingPolicy } from "./signing-policy.ts"

/** `ca` signs for all of them. */
export function createCSRSigningController(ca: KeyPair): Controller {
  return defineController<CertificateSigningRequest>({
    name: "certificatesigningrequest-signing-controller",
    aliases: ["csrsigning"],
    queueName: "certificate",
    serviceAccount: "certificate-controller",
    rbac: [
      allow("certificates.k8s.io", "certificatesigningrequests", "get list watch"),
      allow("certificates.k8s.io", "certificatesigningrequests/status", "update"),
      { ...allow("certificates.k8s.io", "signers", "sign"), resourceNames: [...signerRules.keys()] },
      recordEvents,
    ],
    for: certificateSigningRequest,
    async reconcile(ref, { cache, client, clock, random, signal }) {
      const request = cache.get(certificateSigningRequest, ref)
      if (!request || request.status.certificate) return
      const { conditions } = request.status
      if (
        !isConditionTrue(conditions, "Approved") ||
        isDenied(request) ||
        isConditionTrue(conditions, "Failed")
      )
        return
      const { signerName, usages = [], expirationSeconds } = request.spec
      const rule = signerRules.get(signerName)
      if (!rule) return
      const asked = parseSigningRequest(request.spec.request)
      const message = rule(asked, usages)
      const now = formatTime(clock.now())
      const status =
        message === undefined
          ? {
              ...request.status,
              certificate: Buffer.from(
                certifyRequest(ca, asked, {
                  ...signingPolicy(usages, expirationSeconds, ca.cert, clock.now()),
                  serial: random.bytes(16),
                }),
              ).toString("base64"),
            }
          : {
              ...request.status,
              conditions: [
                ...(conditions ?? []),
                {
                  type: "Failed",
                  status: "True",
                  reason: "SignerValidationFailure",
                  message,
                  lastUpdateTime: now,
                },
              ],
            }
      await client.update(
        certificateSigningRequest,
        { ...request, status },
        { subresource: "status", signal },
      )
    },
  })
}

/** Whatever else was said of it. */
function isDenied({ status }: Readonly<CertificateSigningRequest>): boolean {
  return status.conditions?.some(({ type }) => type === "Denied") ?? false
}
