/** Plugins that say the same to everybody. Mirrors: plugin/pkg/admission/{admit,deny} */
import type { AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

export const alwaysAdmit: AdmissionPlugin = {
  name: "AlwaysAdmit",
  enabledByDefault: false,
  create: () => ({ handles: () => false }),
}

export const alwaysDeny: AdmissionPlugin = {
  name: "AlwaysDeny",
  enabledByDefault: false,
  create: () => ({
    handles: () => true,
    admit(a) {
      throw refusal(a, "admission control is denying all modifications")
    },
    validate(a) {
      throw refusal(a, "admission control is denying all modifications")
    },
  }),
}
