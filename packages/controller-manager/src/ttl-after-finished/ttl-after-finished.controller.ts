/** Deletes jobs some time after they have ended. Mirrors: pkg/controller/ttlafterfinished */
import { job, type Job } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import { allow, defineController, recordEvents, type Controller } from "@knarr/controller-kit"

/** When the job ended, in ms; undefined while it has not. */
function finishedAtMs(obj: Job): number | undefined {
  const ended = obj.status?.conditions?.find(
    (condition) =>
      (condition.type === "Complete" || condition.type === "Failed") && condition.status === "True",
  )
  return ended?.lastTransitionTime ? Date.parse(ended.lastTransitionTime) : undefined
}

export const ttlAfterFinishedController: Controller = defineController<Job>({
  name: "ttl-after-finished-controller",
  queueName: "ttl_jobs_to_delete",
  aliases: ["ttl-after-finished"],
  serviceAccount: "ttl-after-finished-controller",
  rbac: [allow("batch", "jobs", "get list watch delete"), recordEvents],
  for: job,
  async reconcile(ref, { cache, client, clock, signal }) {
    const expired = (obj: Job): number => {
      const ended = finishedAtMs(obj)
      const ttl = obj.spec.ttlSecondsAfterFinished
      if (ended === undefined || ttl === undefined || obj.metadata.deletionTimestamp) return Infinity
      return ended + ttl * 1000 - clock.now()
    }
    const cached = cache.get(job, ref)
    if (!cached) return undefined
    const leftMs = expired(cached)
    if (leftMs === Infinity) return undefined
    if (leftMs > 0) return { afterMs: leftMs }
    try {
      // The TTL may have been raised a moment ago.
      const fresh = await client.get(job, ref, { signal })
      if (fresh.metadata.uid !== cached.metadata.uid || expired(fresh) > 0) return undefined
      const preconditions = { uid: fresh.metadata.uid, resourceVersion: fresh.metadata.resourceVersion }
      await client.delete(job, ref, { propagationPolicy: "Foreground", preconditions, signal })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
    return undefined
  },
})
