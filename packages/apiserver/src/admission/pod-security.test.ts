import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { PodSpec } from "@knarr/api"
import { violations, type Level } from "./pod-security-checks.ts"

const good = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
}

function text(level: Level, container: object, spec: object = {}): string {
  const pod = { spec: { containers: [{ name: "a", image: "x", ...container }], ...spec } as PodSpec }
  return violations(level, pod)
    .map((v) => `${v.reason} (${v.detail})`)
    .join(", ")
}

describe("pod security standards", () => {
  const rows: [name: string, level: Level, container: object, spec: object, expected: string][] = [
    [
      "nothing is forbidden to the privileged",
      "privileged",
      { securityContext: { privileged: true } },
      {},
      "",
    ],
    ["a plain pod is baseline", "baseline", {}, {}, ""],
    ["a careful pod is restricted", "restricted", { securityContext: good }, {}, ""],
    [
      "a plain pod is not restricted",
      "restricted",
      {},
      {},
      'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    ],
    [
      "host namespaces",
      "baseline",
      {},
      { hostNetwork: true, hostPID: true },
      "host namespaces (hostNetwork=true, hostPID=true)",
    ],
    [
      "privileged",
      "baseline",
      { securityContext: { privileged: true } },
      {},
      'privileged (container "a" must not set securityContext.privileged=true)',
    ],
    [
      "capabilities",
      "baseline",
      { securityContext: { capabilities: { add: ["SYS_TIME", "NET_ADMIN", "CHOWN"] } } },
      {},
      'non-default capabilities (container "a" must not include "NET_ADMIN", "SYS_TIME" in securityContext.capabilities.add)',
    ],
    [
      "host paths",
      "baseline",
      {},
      { volumes: [{ name: "v", hostPath: { path: "/" } }] },
      'hostPath volumes (volume "v")',
    ],
    [
      "volume types",
      "restricted",
      { securityContext: good },
      {
        volumes: [
          { name: "v", hostPath: { path: "/" } },
          { name: "c", configMap: {} },
        ],
      },
      'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ],
    [
      "host ports",
      "baseline",
      { ports: [{ containerPort: 80, hostPort: 80 }] },
      {},
      'hostPort (container "a" uses hostPort 80)',
    ],
    [
      "sysctls",
      "baseline",
      {},
      { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } },
      "forbidden sysctls (kernel.msgmax)",
    ],
    [
      "SELinux",
      "baseline",
      {},
      { securityContext: { seLinuxOptions: { type: "spc_t", user: "u" } } },
      'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ],
    [
      "root by number",
      "restricted",
      { securityContext: { ...good, runAsUser: 0 } },
      {},
      'runAsUser=0 (container "a" must not set runAsUser=0)',
    ],
    [
      "root where a user namespace is asked for",
      "restricted",
      { securityContext: { ...good, runAsNonRoot: undefined, runAsUser: 0 } },
      { hostUsers: false },
      'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), ' +
        'runAsUser=0 (container "a" must not set runAsUser=0)',
    ],
    [
      "an unmasked /proc where a user namespace is asked for",
      "baseline",
      { securityContext: { procMount: "Unmasked" } },
      { hostUsers: false },
      'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
    ],
  ]
  for (const [name, level, container, spec, expected] of rows)
    it(name, () => assert.equal(text(level, container, spec), expected))
})
