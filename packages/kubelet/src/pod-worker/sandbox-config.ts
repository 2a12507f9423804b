/**
 * The sandbox that a pod asks for.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_sandbox.go
 */
import type { Pod } from "@knarr/api"
import type { RuntimeRequest } from "../runtime/container-runtime.ts"
import { podDns } from "./dns-config.ts"
import { kernelHostname } from "./hostname.ts"
import { sandboxLabels } from "./labels.ts"
import { podCgroup } from "./pod-cgroup.ts"
import { sandboxSecurity } from "./security-context.ts"
import { podLogDir, type PodWorkerParts } from "./settings.ts"

export type SandboxConfig = NonNullable<RuntimeRequest<"runPodSandbox">["config"]>

export async function sandboxConfig(
  pod: Readonly<Pod>,
  attempt: number,
  parts: Pick<PodWorkerParts, "settings" | "host" | "events">,
): Promise<SandboxConfig> {
  const { settings, host, events } = parts
  const { name, namespace, uid } = pod.metadata
  const dns = podDns(pod, { ...settings, hostResolvConf: await host.resolvConf() })
  if (dns.warning !== undefined) events.event(pod, "Warning", "DNSConfigForming", dns.warning)
  if (dns.missingClusterDns) {
    const message = `kubelet does not have ClusterDNS IP configured and cannot create Pod using "${pod.spec.dnsPolicy}" policy. Falling back to "Default" policy.`
    events.event(pod, "Warning", "MissingClusterDNS", message)
  }
  const sysctls: Record<string, string> = {}
  for (const { name: key, value } of pod.spec.securityContext?.sysctls ?? [])
    sysctls[key.replaceAll("/", ".")] = value
  return {
    metadata: { name, namespace: namespace!, uid, attempt },
    ...(pod.spec.hostNetwork ? {} : { hostname: kernelHostname(pod, settings.clusterDomain) }),
    logDirectory: podLogDir(settings, namespace!, name, uid),
    dnsConfig: dns.config,
    labels: sandboxLabels(pod),
    annotations: { ...pod.metadata.annotations },
    linux: {
      cgroupParent: podCgroup(settings, pod),
      sysctls,
      securityContext: sandboxSecurity(pod),
    },
  }
}
