/**
 * Approves kubelets' requests for client certificates, of who may have one by itself.
 * Mirrors: pkg/controller/certificates/approver
 */
import {
  certificateSigningRequest,
  parseSigningRequest,
  subjectAccessReview,
  type CertificateSigningRequest,
} from "@knarr/api"
import { allow, defineController, recordEvents, type Controller } from "@knarr/controller-kit"
import { kubeletClientProblem, kubeletClientSigner } from "./request-rules.ts"

/** How soon it is asked again whether somebody may. */
const againMs = 10_000

export const csrApprovingController: Controller = defineController<CertificateSigningRequest>({
  name: "certificatesigningrequest-approving-controller",
  aliases: ["csrapproving"],
  queueName: "certificate",
  serviceAccount: "certificate-controller",
  rbac: [
    allow("certificates.k8s.io", "certificatesigningrequests", "get list watch"),
    allow("certificates.k8s.io", "certificatesigningrequests/approval", "update"),
    { ...allow("certificates.k8s.io", "signers", "approve"), resourceNames: [kubeletClientSigner] },
    allow("authorization.k8s.io", "subjectaccessreviews", "create"),
    recordEvents,
  ],
  for: certificateSigningRequest,
  async reconcile(ref, { cache, client, signal }) {
    const request = cache.get(certificateSigningRequest, ref)
    if (!request || request.status.certificate) return undefined
    const { conditions = [] } = request.status
    if (conditions.some(({ type }) => type === "Approved" || type === "Denied")) return undefined
    const { spec } = request
    if (spec.signerName !== kubeletClientSigner) return undefined
    const asked = parseSigningRequest(spec.request)
    if (kubeletClientProblem(asked, spec.usages ?? []) !== undefined) return undefined
    const isOwn = spec.username === asked.commonName
    const may = async (subresource: string): Promise<boolean> => {
      const resourceAttributes = {
        group: "certificates.k8s.io",
        version: "*",
        resource: "certificatesigningrequests",
        subresource,
        verb: "create",
      }
      const { username: user, uid, groups, extra } = spec
      const review = { metadata: {}, spec: { user, uid, groups, extra, resourceAttributes } }
      const { status } = await client.create(subjectAccessReview, review, { signal })
      return status?.allowed === true
    }
    const whose =
      isOwn && (await may("selfnodeclient")) ? "self " : (await may("nodeclient")) ? "" : undefined
    if (whose === undefined) return { afterMs: againMs }
    const message = `Auto approving ${whose}kubelet client certificate after SubjectAccessReview.`
    const approved = { type: "Approved", status: "True", reason: "AutoApproved", message }
    const status = { ...request.status, conditions: [...conditions, approved] }
    await client.update(
      certificateSigningRequest,
      { ...request, status },
      { subresource: "approval", signal },
    )
    return undefined
  },
})
