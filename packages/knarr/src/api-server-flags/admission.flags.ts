/** Flags of admission plugins. Mirrors: apiserver pkg/server/options/admission.go */
import type { FlagGroup } from "./flag-group.ts"

export const admissionFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "enable-admission-plugins": "text",
    "disable-admission-plugins": "text",
    "admission-control-config-file": "file",
  },
  read(given) {
    const enable = given.list("enable-admission-plugins")
    const disable = given.list("disable-admission-plugins")
    const configFile = given.text("admission-control-config-file")
    if (!enable && !disable && configFile === undefined) return {}
    return { admission: { ...(enable ? { enable } : {}), ...(disable ? { disable } : {}), configFile } }
  },
})
