/** Flags of encryption at rest. Mirrors: apiserver pkg/server/options/etcd.go */
import type { FlagGroup } from "./flag-group.ts"

export const encryptionFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: {
    "encryption-provider-config": "file",
    "encryption-provider-config-automatic-reload": "switch",
  },
  read(given) {
    const configFile = given.text("encryption-provider-config")
    if (configFile === undefined) return {}
    return { encryption: { configFile, reload: given.switch("encryption-provider-config-automatic-reload") } }
  },
})
