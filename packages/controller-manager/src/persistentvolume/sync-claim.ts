/** Performs what is planned about a claim. Mirrors: pkg/controller/volume/persistentvolume/pv_controller.go (syncClaim) */
import { pod, storageClass } from "@knarr/api"
import { refKey, type Ref } from "@knarr/apimachinery"
import type { ReconcileResult } from "@knarr/controller-kit"
import { volumeAnnotations } from "@knarr/pod-rules"
import { bindStep, claimStatusStep } from "./bind-steps.ts"
import { type BinderState, type ReadonlyClaim } from "./binder-state.ts"
import { candidates } from "./volume-indexes.ts"
import { planClaim, provisioningFailed } from "./claim-plan.ts"
import { podClaimIndex } from "../workload/pod-indexes.ts"

export async function syncClaim(ref: Ref, state: BinderState): Promise<ReconcileResult> {
  const { cache } = state.ctx
  const key = refKey(ref)
  const claim = state.claims.get(cache, ref)
  if (!claim) return state.operations.forget(key)
  const plan = planClaim(claim, {
    volume: (name) => state.volumes.get(cache, { name }),
    candidates: (className) => state.volumes.newest(candidates(key, className, cache)),
    storageClass: (name) => cache.get(storageClass, { name }),
    storageClasses: () => cache.list(storageClass),
    pods: () => cache.byIndex(pod, podClaimIndex.name, key),
  })
  switch (plan.do) {
    case "bind":
      return state.operations.end(key, async () => void (await state.perform(plan.volume, claim, bindStep)))
    case "lose": {
      if (claim.status.phase === "Lost") return
      const lost = await state.perform(undefined, claim, (_, one) => claimStatusStep(one, "Lost"))
      return state.record(lost.claim, plan.event)
    }
    case "annotate": {
      const metadata = { ...claim.metadata, annotations: plan.annotations }
      await state.writeClaim({ ...claim, metadata }, false)
      return syncClaim(ref, state)
    }
    case "set class":
      return state.operations.assignClass(async () => {
        await state.writeClaim({ ...claim, spec: { ...claim.spec, storageClassName: plan.className } }, false)
      })
    case "provision":
      if (state.options.dynamicProvisioning === false) return state.resync
      state.operations.begin(key, plan.provisioner, "provision")
      await askProvisioner(claim, plan.provisioner, plan.error, state)
      return state.resync
    case "wait":
      if (plan.event) state.record(claim, plan.event)
      if (plan.error !== undefined) throw new Error(plan.error)
      await state.perform(undefined, claim, (_, one) => claimStatusStep(one, "Pending"))
      return state.resync
  }
}

/** Provisioners outside make volumes for the claims that name them. */
async function askProvisioner(
  claim: ReadonlyClaim,
  provisioner: string,
  error: string | undefined,
  state: BinderState,
): Promise<void> {
  const { storageProvisioner, betaStorageProvisioner } = volumeAnnotations
  let asked = claim
  if (claim.metadata.annotations?.[storageProvisioner] !== provisioner) {
    const annotations = {
      ...claim.metadata.annotations,
      [betaStorageProvisioner]: provisioner,
      [storageProvisioner]: provisioner,
    }
    asked = await state.writeClaim({ ...claim, metadata: { ...claim.metadata, annotations } }, false)
  }
  if (error !== undefined) return state.record(asked, provisioningFailed(error))
  state.record(asked, {
    type: "Normal",
    reason: "ExternalProvisioning",
    message:
      `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the ` +
      "system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
  })
}
