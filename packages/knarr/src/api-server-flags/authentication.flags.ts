/** Flags about who asks. Mirrors: kubernetes pkg/kubeapiserver/options/authentication.go */
import type { FlagGroup } from "./flag-group.ts"

export const authenticationFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: { "enable-bootstrap-token-auth": "switch" },
  read(given) {
    return { bootstrapTokens: given.switch("enable-bootstrap-token-auth") }
  },
})
