/** Flags of admission plugins. Mirrors: apiserver pkg/server/options/admission.go */
import type { FlagGroup } from "./flag-group.ts"

export const admissionFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "enable-admission-plugins": "text",
    "disable-admission-plugins": "text",
    "admission-control-config-file": "file",
    "default-not-ready-toleration-seconds": "text",
    "default-unreachable-toleration-seconds": "text",
  },
  read(given) {
    const enable = given.list("enable-admission-plugins")
    const disable = given.list("disable-admission-plugins")
    const configFile = given.text("admission-control-config-file")
    const notReady = given.integer("default-not-ready-toleration-seconds")
    const unreachable = given.integer("default-unreachable-toleration-seconds")
    const isGiven = [enable, disable, configFile, notReady, unreachable].some((value) => value !== undefined)
    if (!isGiven) return {}
    return {
      admission: {
        ...(enable ? { enable } : {}),
        ...(disable ? { disable } : {}),
        configFile,
        tolerationSeconds: { notReady, unreachable },
      },
    }
  },
})
