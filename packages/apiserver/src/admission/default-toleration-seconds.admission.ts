/** Pods stay five minutes on a node that is not ready or not reachable. Mirrors: plugin/pkg/admission/defaulttolerationseconds */
import { sameResource } from "@knarr/apimachinery"
import { pod } from "@knarr/api"
import type { Pod, Toleration } from "@knarr/api"
import type { AdmissionPlugin } from "../contract.ts"

const tolerationSeconds = 300
const keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] as const

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  enabledByDefault: true,
  create: () => ({
    handles: (a) =>
      (a.operation === "CREATE" || a.operation === "UPDATE") &&
      sameResource(a.kind, pod) &&
      a.subresource === "",
    admit(a) {
      const { spec } = a.object as Pod
      const added: Toleration[] = []
      for (const key of keys) {
        const tolerated = spec.tolerations?.some(
          (t) => (t.key === key || !t.key) && (t.effect === "NoExecute" || !t.effect),
        )
        if (!tolerated) added.push({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds })
      }
      if (added.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...added]
    },
  }),
}
