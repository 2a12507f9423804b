/** Gives an Ingress without a class the default one. Mirrors: plugin/pkg/admission/network/defaultingressclass */
import { sameResource } from "@knarr/apimachinery"
import { ingress, ingressClass } from "@knarr/api"
import type { Ingress, IngressClass } from "@knarr/api"
import { newestDefault } from "@knarr/pod-rules"
import type { AdmissionPlugin } from "../contract.ts"

export const defaultIngressClass: AdmissionPlugin = {
  name: "DefaultIngressClass",
  enabledByDefault: true,
  create: ({ list }) => ({
    handles: (a) => a.operation === "CREATE" && sameResource(a.kind, ingress) && a.subresource === "",
    admit(a) {
      const obj = a.object as Ingress
      if (obj.spec?.ingressClassName !== undefined) return
      if (obj.metadata.annotations?.["kubernetes.io/ingress.class"] !== undefined) return
      const found = newestDefault<IngressClass>(list(ingressClass), [
        "ingressclass.kubernetes.io/is-default-class",
      ])
      if (found) (obj.spec ??= {}).ingressClassName = found.metadata.name
    },
  }),
}
