/** Pods stay a while on a node that is not ready or not reachable. Mirrors: plugin/pkg/admission/defaulttolerationseconds */
import { sameResource } from "@knarr/apimachinery"
import { pod } from "@knarr/api"
import type { Pod, Toleration } from "@knarr/api"
import type { AdmissionPlugin } from "../contract.ts"

const defaultSeconds = 300

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  enabledByDefault: true,
  create({ tolerationSeconds: { notReady = defaultSeconds, unreachable = defaultSeconds } = {} }) {
    const defaults = [
      ["node.kubernetes.io/not-ready", notReady],
      ["node.kubernetes.io/unreachable", unreachable],
    ] as const
    return {
      handles: (a) =>
        (a.operation === "CREATE" || a.operation === "UPDATE") &&
        sameResource(a.kind, pod) &&
        a.subresource === "",
      admit(a) {
        const { spec } = a.object as Pod
        const added: Toleration[] = []
        for (const [key, tolerationSeconds] of defaults) {
          const tolerated = spec.tolerations?.some(
            (t) => (t.key === key || !t.key) && (t.effect === "NoExecute" || !t.effect),
          )
          if (!tolerated) added.push({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds })
        }
        if (added.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...added]
      },
    }
  },
}
