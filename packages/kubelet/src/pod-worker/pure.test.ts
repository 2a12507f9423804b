import assert from "node:assert/strict"
import { test } from "node:test"
import type { Pod, Secret, Service } from "@knarr/api"
import { credentialsFor } from "../images/pull-secrets.ts"
import { Backoffs } from "./backoffs.ts"
import { podDns } from "./dns-config.ts"
import { expand } from "./expansion.ts"
import { hostsFile, kernelHostname } from "./hostname.ts"
import { containerResources, oomScoreAdj, podCgroupResources, sharesToWeight } from "./linux-resources.ts"
import { serviceEnv } from "./service-env.ts"
import { resourceValue } from "./downward.ts"

function podOf(spec: Partial<Pod["spec"]>): Pod {
  return {
    metadata: { name: "p", namespace: "d", uid: "u" },
    spec: { containers: [], ...spec },
    status: {},
  } as unknown as Pod
}

test("expand: known, unknown and escaped names", () => {
  const lookup = (name: string): string | undefined => ({ A: "1", EMPTY: "" })[name]
  for (const [text, want] of [
    ["$(A)$(B)$(EMPTY).", "1$(B)."],
    ["$$(A) $$$(A)", "$(A) $1"],
    ["$A $ $(A", "$A $ $(A"],
    ["cost: 5$", "cost: 5$"],
  ] as const)
    assert.equal(expand(text, lookup), want)
})

test("podDns: policies", () => {
  const options = {
    clusterDNS: ["10.96.0.10"],
    clusterDomain: "cluster.local",
    hostResolvConf: "nameserver 9.9.9.9\nsearch corp.example.\noptions timeout:1\n",
  }
  const cluster = {
    servers: ["10.96.0.10"],
    searches: ["d.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example"],
    options: ["ndots:5"],
  }
  const host = { servers: ["9.9.9.9"], searches: ["corp.example"], options: ["timeout:1"] }
  assert.deepEqual(podDns(podOf({}), options).config, cluster)
  assert.deepEqual(podDns(podOf({ hostNetwork: true }), options).config, host)
  assert.deepEqual(
    podDns(podOf({ hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" }), options).config,
    cluster,
  )
  assert.deepEqual(podDns(podOf({ dnsPolicy: "Default" }), options).config, host)
  const dnsConfig = {
    nameservers: ["1.1.1.1"],
    searches: ["x"],
    options: [{ name: "ndots", value: "2" }, { name: "edns0" }],
  }
  assert.deepEqual(podDns(podOf({ dnsPolicy: "None", dnsConfig }), options).config, {
    servers: ["1.1.1.1"],
    searches: ["x"],
    options: ["ndots:2", "edns0"],
  })
  assert.deepEqual(podDns(podOf({ dnsConfig }), options).config.options, ["ndots:2", "edns0"])
})

test("hostsFile: names, aliases and the host's own", () => {
  const pod = podOf({
    hostname: "h",
    subdomain: "s",
    hostAliases: [{ ip: "1.2.3.4", hostnames: ["a", "b"] }],
  })
  const text = hostsFile(pod, ["10.0.0.1"], "cluster.local", "")
  assert.ok(text.startsWith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"))
  assert.ok(text.includes("10.0.0.1\th.s.d.svc.cluster.local\th\n"))
  assert.ok(text.endsWith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n"))
  assert.equal(
    hostsFile(podOf({ hostNetwork: true }), ["10.0.0.1"], "cluster.local", "::1 me\n"),
    "# Kubernetes-managed hosts file (host network).\n::1 me\n",
  )
  assert.equal(kernelHostname(podOf({ subdomain: "s", setHostnameAsFQDN: true }), "x"), "p.s.d.svc.x")
})

test("hostsFile and podDns: what is no address and no name writes no line of its own", () => {
  const evil = ["1.2.3.4\n6.6.6.6", "1.2.3.4 evil", "localhost", "2130706433", "0x7f.1", "garbage!", ""]
  const names = ["a\n6.6.6.6\tbank", "a b", "a\tb", "", "-a", "a".repeat(300)]
  const hostAliases = [
    ...evil.map((ip) => ({ ip, hostnames: ["a"] })),
    ...names.map((name) => ({ ip: "1.2.3.4", hostnames: [name] })),
    { ip: "fd00::1", hostnames: ["good", "a\nb"] },
  ]
  const text = hostsFile(podOf({ hostAliases }), evil, "cluster.local", "")
  assert.ok(
    text.endsWith("fe00::2\tip6-allrouters\n\n# Entries added by HostAliases.\nfd00::1\tgood\n"),
    text,
  )
  const dnsConfig = {
    nameservers: [...evil, "1.1.1.1"],
    searches: ["a\nnameserver 6.6.6.6", "a b", "good.example"],
    options: [{ name: "ndots", value: "1\nnameserver 6.6.6.6" }, { name: "x y" }, { name: "edns0" }],
  }
  const options = { clusterDNS: [], clusterDomain: "cluster.local", hostResolvConf: "" }
  assert.deepEqual(podDns(podOf({ dnsPolicy: "None", dnsConfig }), options).config, {
    servers: ["1.1.1.1"],
    searches: ["good.example"],
    options: ["edns0"],
  })
})

test("Backoff doubles to its maximum and is forgotten", () => {
  const backoff = new Backoffs()
  assert.equal(backoff.remainingMs("k", 0, 0), 0)
  const delays: number[] = []
  let now = 0
  for (let i = 0; i < 7; i++) {
    backoff.next("k", now, now)
    delays.push(backoff.delayMs("k") / 1000)
    now += backoff.delayMs("k")
  }
  assert.deepEqual(delays, [10, 20, 40, 80, 160, 300, 300])
  assert.equal(backoff.remainingMs("k", now, now + 1000), 299_000)
  assert.equal(backoff.remainingMs("k", now + 600_001, now + 600_002), 0)
})

test("resources: shares, quota, oom score and the pod's cgroup", () => {
  const container = {
    name: "a",
    resources: { requests: { cpu: "250m", memory: "1Gi" }, limits: { cpu: "500m" } },
  }
  const pod = podOf({ containers: [container] })
  const options = { cpuQuota: true, memoryCapacity: 4 * 1024 ** 3 }
  assert.deepEqual(containerResources(pod, container, options), {
    cpuShares: 256,
    memoryLimitInBytes: 0,
    oomScoreAdj: 750,
    cpuPeriod: 100_000,
    cpuQuota: 50_000,
  })
  assert.equal(oomScoreAdj(podOf({ containers: [{ name: "a" }] }), { name: "a" }, 1), 1000)
  const limits = { cpu: "1", memory: "1Gi" }
  const guaranteed = podOf({ containers: [{ name: "a", resources: { limits, requests: limits } }] })
  assert.equal(oomScoreAdj(guaranteed, guaranteed.spec.containers[0]!, 1), -997)
  assert.deepEqual(podCgroupResources(guaranteed, true), {
    cpuShares: 1024,
    cpuQuota: 100_000,
    memoryLimit: 1024 ** 3,
  })
  assert.deepEqual(podCgroupResources(pod, true), { cpuShares: 256, cpuQuota: 50_000 })
  assert.equal(sharesToWeight(2), 1)
  assert.equal(sharesToWeight(262_144), 10_000)
})

test("serviceEnv: addresses, named ports and links", () => {
  const service = {
    metadata: { name: "my-db" },
    spec: { clusterIP: "10.0.0.5", ports: [{ name: "sql", port: 5432, protocol: "TCP" }] },
  } as unknown as Service
  assert.deepEqual(Object.fromEntries(serviceEnv([service])), {
    MY_DB_SERVICE_HOST: "10.0.0.5",
    MY_DB_SERVICE_PORT: "5432",
    MY_DB_SERVICE_PORT_SQL: "5432",
    MY_DB_PORT: "tcp://10.0.0.5:5432",
    MY_DB_PORT_5432_TCP: "tcp://10.0.0.5:5432",
    MY_DB_PORT_5432_TCP_PROTO: "tcp",
    MY_DB_PORT_5432_TCP_PORT: "5432",
    MY_DB_PORT_5432_TCP_ADDR: "10.0.0.5",
  })
})

test("resourceValue rounds up to the divisor", () => {
  const container = { name: "a", resources: { limits: { cpu: "1500m", memory: "100Mi" } } }
  const context = { nodeName: "n", hostIPs: [], podIPs: [], allocatable: { cpu: "4" } }
  assert.equal(resourceValue(container, "limits.cpu", undefined, context), "2")
  assert.equal(resourceValue(container, "limits.cpu", "1m", context), "1500")
  assert.equal(resourceValue(container, "limits.memory", "1Mi", context), "100")
  assert.equal(resourceValue({ name: "b" }, "limits.cpu", "0", context), "4")
})

test("credentialsFor finds the most exact credentials first", () => {
  const entry = (user: string): unknown => ({ auth: Buffer.from(`${user}:secret`).toString("base64") })
  const auths = {
    "registry.example.com": entry("host"),
    "registry.example.com/team": entry("path"),
    "https://index.docker.io/v1/": entry("hub"),
    "*.example.org:5000": entry("glob"),
  }
  const secret = {
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") },
  } as unknown as Secret
  const users = (image: string): string[] => credentialsFor(image, [secret]).map(({ username }) => username)
  assert.deepEqual(users("registry.example.com/team/app:1"), ["path", "host"])
  assert.deepEqual(users("registry.example.com/teams/app"), ["host"])
  assert.deepEqual(users("busybox"), ["hub"])
  assert.deepEqual(users("r.example.org:5000/x"), ["glob"])
  assert.deepEqual(users("r.example.org/x"), [])
})
