/** Deletes requests for certificates that have served their time. Mirrors: pkg/controller/certificates/cleaner */
import { certificateSigningRequest, podCertificateRequest } from "@knarr/api"
import { isConflict, isNotFound, refOf, type Kind, type KubeObject } from "@knarr/apimachinery"
import { allow, defineController, type Controller, type ReconcileContext } from "@knarr/controller-kit"
import { isOutdated } from "./request-age.ts"

const minuteMs = 60_000
/** Every flow of a pod's request is faster than this. */
const podRequestLifeMs = 15 * minuteMs

export const csrCleanerController: Controller = defineController({
  name: "certificatesigningrequest-cleaner-controller",
  aliases: ["csrcleaner"],
  serviceAccount: "certificate-controller",
  rbac: [allow("certificates.k8s.io", "certificatesigningrequests", "delete get list watch")],
  reads: [certificateSigningRequest],
  run: (ctx) => clean(ctx, certificateSigningRequest, 60 * minuteMs, isOutdated),
})

export const podCertificateRequestCleanerController: Controller = defineController({
  name: "podcertificaterequest-cleaner-controller",
  serviceAccount: "podcertificaterequestcleaner",
  rbac: [allow("certificates.k8s.io", "podcertificaterequests", "delete get list watch")],
  reads: [podCertificateRequest],
  run: (ctx) =>
    clean(
      ctx,
      podCertificateRequest,
      5 * minuteMs,
      ({ metadata }, nowMs) => nowMs - Date.parse(metadata.creationTimestamp) >= podRequestLifeMs,
    ),
})

async function clean<T extends KubeObject>(
  { cache, client, clock, log, signal }: ReconcileContext,
  kind: Kind<T>,
  everyMs: number,
  isOld: (obj: Readonly<T>, nowMs: number) => boolean,
): Promise<void> {
  for (;;) {
    for (const obj of cache.list(kind)) {
      if (!isOld(obj, clock.now())) continue
      const { uid } = obj.metadata
      try {
        await client.delete(kind, refOf(obj), { preconditions: { uid }, signal })
      } catch (thrown) {
        signal.throwIfAborted()
        if (!isNotFound(thrown) && !isConflict(thrown))
          log.error("Deleting an old request failed and is tried again", thrown, { name: obj.metadata.name })
      }
    }
    await clock.sleep(everyMs, signal)
  }
}
