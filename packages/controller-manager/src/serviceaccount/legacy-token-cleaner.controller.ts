/**
 * Deletes the token Secrets that earlier releases made for every service account, when nobody used them for a year: first they are
 * marked as invalid, a year later they go. Mirrors: pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go
 */
import { configMap, pod, secret, serviceAccount, type Pod, type Secret } from "@knarr/api"
import { formatTime, isConflict, isNotFound, parseTime } from "@knarr/apimachinery"
import { allow, defineController, type Cache, type Controller } from "@knarr/controller-kit"
import { podSecrets } from "@knarr/pod-rules"

const dayMs = 86_400_000
const unusedMs = 365 * dayMs
const tracking = { namespace: "kube-system", name: "kube-apiserver-legacy-service-account-token-tracking" }
const lastUsedLabel = "kubernetes.io/legacy-token-last-used"
const invalidSinceLabel = "kubernetes.io/legacy-token-invalid-since"

export type Verdict = "keep" | "mark" | "delete"

/** What is to be done about a token's Secret that its account refers to and no pod uses. */
export function verdictOn({ metadata }: Readonly<Secret>, nowMs: number): Verdict {
  const { labels = {}, creationTimestamp, deletionTimestamp } = metadata
  if (deletionTimestamp || !(parseTime(creationTimestamp ?? "") < nowMs - unusedMs)) return "keep"
  const oldest = dayOf(nowMs - unusedMs)
  const lastUsed = labels[lastUsedLabel]
  if (lastUsed !== undefined && (!isDay(lastUsed) || lastUsed >= oldest)) return "keep"
  const invalidSince = labels[invalidSinceLabel] ?? ""
  if (!isDay(invalidSince)) return "mark"
  return invalidSince >= oldest ? "keep" : "delete"
}

function dayOf(ms: number): string {
  return formatTime(ms).slice(0, 10)
}

function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))
}

export const legacyTokenCleanerController: Controller = defineController({
  name: "legacy-serviceaccount-token-cleaner-controller",
  aliases: ["legacy-service-account-token-cleaner"],
  serviceAccount: "legacy-service-account-token-cleaner",
  rbac: [
    { apiGroups: [""], resources: ["configmaps"], verbs: ["get"], resourceNames: [tracking.name] },
    allow("", "secrets", "patch delete"),
  ],
  reads: [secret, serviceAccount, pod],
  async run({ cache, client, clock, log, signal }) {
    for (;;) {
      try {
        await evaluate()
      } catch (thrown) {
        if (signal.aborted) throw thrown
        log.error("Legacy tokens could not be looked at", thrown)
      }
      await clock.sleep(dayMs, signal)
    }

    async function evaluate(): Promise<void> {
      const { data } = await client.get(configMap, tracking, { signal })
      const since = Date.parse(data?.["since"] ?? "")
      const now = clock.now()
      // It counts from the day after the one on which noting began.
      if (!(now >= since + dayMs + unusedMs)) return
      const used = new Map<string, ReadonlySet<string>>()
      for (const one of cache.list(secret)) {
        const { namespace = "", name, uid, resourceVersion } = one.metadata
        if (one.type !== "kubernetes.io/service-account-token" || !isReferred(cache, one)) continue
        const verdict = verdictOn(one, now)
        if (verdict === "keep" || usedIn(cache, namespace, used).has(name)) continue
        const ref = { namespace, name }
        try {
          if (verdict === "delete")
            await client.delete(secret, ref, { preconditions: { resourceVersion }, signal })
          else {
            const metadata = { uid, labels: { [invalidSinceLabel]: dayOf(now) } }
            await client.patch(secret, ref, "merge", { metadata }, { signal })
          }
        } catch (thrown) {
          if (!isNotFound(thrown) && !isConflict(thrown)) throw thrown
        }
      }
    }
  },
})

/** Whether the account, still the same one, lists the Secret: only such ones were made by themselves. */
function isReferred(cache: Cache, { metadata }: Readonly<Secret>): boolean {
  const name = metadata.annotations?.["kubernetes.io/service-account.name"] ?? ""
  const uid = metadata.annotations?.["kubernetes.io/service-account.uid"] ?? ""
  const account = name === "" ? undefined : cache.get(serviceAccount, { namespace: metadata.namespace, name })
  if (!account || (uid !== "" && uid !== account.metadata.uid)) return false
  return account.secrets?.some((one) => one.name === metadata.name) ?? false
}

function usedIn(
  cache: Cache,
  namespace: string,
  known: Map<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  let names = known.get(namespace)
  if (!names) {
    names = new Set(cache.list(pod, { namespace }).flatMap((one: Pod) => [...podSecrets(one)]))
    known.set(namespace, names)
  }
  return names
}
