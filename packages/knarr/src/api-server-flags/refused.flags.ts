/** Flags of kube-apiserver that a cluster here cannot follow: each is refused with why. */
import { UsageError } from "../cluster-home.ts"
import type { FlagGroup, FlagType } from "./flag-group.ts"

const ownCertificate =
  "the cluster's authority signs the server's certificate; others are served by --tls-sni-cert-key"
const ownProxies = "front proxies are known by the cluster's own authority (front-proxy-ca.crt)"
const ownKeys = "tokens are signed and checked by the cluster's own key (sa.key)"

const reasons: Readonly<Record<string, string>> = {
  "authorization-policy-file": "there is no attribute-based access control",
  "cert-dir": ownCertificate,
  "egress-selector-config-file": "connections are made directly",
  "requestheader-allowed-names": ownProxies,
  "requestheader-client-ca-file": ownProxies,
  "requestheader-extra-headers-prefix": ownProxies,
  "requestheader-group-headers": ownProxies,
  "requestheader-uid-headers": ownProxies,
  "requestheader-username-headers": ownProxies,
  "service-account-key-file": ownKeys,
  "service-account-signing-endpoint": ownKeys,
  "service-account-signing-key-file": ownKeys,
  "tls-cert-file": ownCertificate,
  "tls-private-key-file": ownCertificate,
  "tracing-config-file": "requests are not traced",
}

export const refusedFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: Object.fromEntries(Object.keys(reasons).map((name) => [name, "text" satisfies FlagType] as const)),
  read(given) {
    for (const [name, why] of Object.entries(reasons))
      if (given.text(name) !== undefined) throw new UsageError(`--${name} can not be given here: ${why}`)
    return {}
  },
})
