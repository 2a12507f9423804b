import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import { ipv4, ipv4Address, ipv4Network, linkName, nameText, readPort } from "@knarr/apimachinery"
import type { EndpointSlice, Pod, Service } from "@knarr/api"
import {
  computeProxyState,
  computeRuleset,
  fullText,
  updateText,
  type ProxyState,
  type Ruleset,
} from "./index.ts"

const options = {
  family: ipv4,
  table: nameText("knarr-test"),
  podCIDR: ipv4Network("10.244.0.0/16"),
  serviceCIDR: ipv4Network("10.96.0.0/16"),
  nodeIP: ipv4Address("10.89.0.1"),
  doors: [{ address: ipv4Address("10.89.0.1"), port: readPort(6443)! }],
  links: [linkName("knarr-0"), linkName("knp-0-0")],
}
const reserved = ["10.96.0.0/16", "10.244.0.0/16", "10.89.0.0/24"].map((text) => ipv4Network(text))
const foreign = ["10.97.0.0/16", "10.243.0.0/16", "10.89.1.0/24"].map((text) => ipv4Network(text))
const ownAddresses = ["127.0.0.1", "192.0.2.2"].map((text) => ipv4Address(text))

function service(name: string, spec: Record<string, unknown>, status: Record<string, unknown> = {}): Service {
  return {
    metadata: { namespace: "ns", name, uid: name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { clusterIP: "10.96.0.20", ports: [{ name: "http", port: 80, protocol: "TCP" }], ...spec },
    status,
  } as unknown as Service
}

function slice(
  name: string,
  endpoints: Record<string, unknown>[],
  port = 8080,
  protocol = "TCP",
): EndpointSlice {
  return {
    metadata: { namespace: "ns", name, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "http", port, protocol }],
    endpoints,
  } as unknown as EndpointSlice
}

function hostPortPod(ports: Record<string, unknown>[], name = "p", podIP = "10.244.0.7"): Pod {
  return {
    metadata: { namespace: "ns", name, uid: name },
    spec: { containers: [{ ports }] },
    status: { podIP },
  } as unknown as Pod
}

function stateOf(services: Service[], slices: EndpointSlice[], pods: Pod[] = []): ProxyState {
  const slicesOf = (key: string): EndpointSlice[] =>
    slices.filter(
      (s) => `${s.metadata.namespace}/${s.metadata.labels!["kubernetes.io/service-name"]}` === key,
    )
  return computeProxyState({
    family: ipv4,
    services,
    slicesOf,
    pods,
    nodeName: "a",
    reserved,
    foreign,
    ownAddresses,
  })
}

function rulesOf(state: ProxyState): Ruleset {
  return computeRuleset(state, options, (owner, reason) => assert.fail(`${owner.name}: ${reason}`))
}

const ready = (address: string, nodeName = "a"): Record<string, unknown> => ({
  addresses: [address],
  nodeName,
  conditions: { ready: true },
})
const ending = (address: string): Record<string, unknown> => ({
  addresses: [address],
  nodeName: "a",
  conditions: { ready: false, serving: true, terminating: true },
})

test("computeProxyState picks the endpoints that may be used", () => {
  const one = (
    spec: Record<string, unknown>,
    endpoints: Record<string, unknown>[],
  ): { internal: string[]; external: string[] } => {
    const [port] = stateOf([service("s", spec)], [slice("s", endpoints)]).servicePorts
    const { internalLocal, externalLocal, local, cluster } = port!
    const addresses = (isLocal: boolean): string[] => (isLocal ? local : cluster).map((t) => t.address)
    return { internal: addresses(internalLocal), external: addresses(externalLocal) }
  }
  const all = [ready("10.244.0.2"), ready("10.244.1.2", "b")]
  const cases: [string, Record<string, unknown>, Record<string, unknown>[], string[], string[]][] = [
    ["every ready endpoint", {}, all, ["10.244.0.2", "10.244.1.2"], ["10.244.0.2", "10.244.1.2"]],
    [
      "local ones for external traffic",
      { type: "NodePort", externalTrafficPolicy: "Local" },
      all,
      ["10.244.0.2", "10.244.1.2"],
      ["10.244.0.2"],
    ],
    [
      "local ones for internal traffic",
      { internalTrafficPolicy: "Local" },
      all,
      ["10.244.0.2"],
      ["10.244.0.2", "10.244.1.2"],
    ],
    [
      "ready before ending",
      {},
      [ending("10.244.0.9"), ...all],
      ["10.244.0.2", "10.244.1.2"],
      ["10.244.0.2", "10.244.1.2"],
    ],
    ["ending ones when nothing else is there", {}, [ending("10.244.0.9")], ["10.244.0.9"], ["10.244.0.9"]],
  ]
  for (const [what, spec, endpoints, internal, external] of cases)
    assert.deepEqual(one(spec, endpoints), { internal, external }, what)
  assert.equal(
    stateOf([service("s", { clusterIP: "None" }), service("e", { type: "ExternalName" })], []).servicePorts
      .length,
    0,
  )
})

test("endpoints, hints and conditions decide as upstream's do", () => {
  const hinted = (address: string, hints: unknown, node = "b"): Record<string, unknown> => ({
    ...ready(address, node),
    hints,
  })
  const notReady = { ...ready("10.244.0.9"), conditions: { ready: false, serving: false } }
  const near = { forNodes: [{ name: "a" }] }
  const far = { forNodes: [{ name: "b" }] }
  const cases: [string, Record<string, unknown>[], string[], boolean][] = [
    ["none", [], [], false],
    ["all not ready are as none", [notReady], [], false],
    ["ending ones count", [ending("10.244.0.9")], ["10.244.0.9"], true],
    ["hints for this node", [hinted("10.244.0.2", near), hinted("10.244.0.3", far)], ["10.244.0.2"], true],
    ["hints for others only", [hinted("10.244.0.3", far)], ["10.244.0.3"], true],
    [
      "one without a hint",
      [hinted("10.244.0.2", near), ready("10.244.0.3")],
      ["10.244.0.2", "10.244.0.3"],
      true,
    ],
    [
      "an address that another pod took over",
      [ready("10.244.0.2"), ending("10.244.0.2")],
      ["10.244.0.2"],
      true,
    ],
    ["the same, in the other order", [ending("10.244.0.2"), ready("10.244.0.2")], ["10.244.0.2"], true],
  ]
  for (const [what, endpoints, expected, hasAny] of cases) {
    const [port] = stateOf([service("s", {})], [slice("s", endpoints)]).servicePorts
    assert.deepEqual(
      port!.cluster.map((target) => target.address),
      expected,
      what,
    )
    assert.equal(port!.hasAny, hasAny, what)
  }
  // Slices of another protocol, or for headless services, are somebody else's.
  const [other] = stateOf([service("s", {})], [slice("s", [ready("10.244.0.2")], 80, "UDP")]).servicePorts
  assert.equal(other!.hasAny, false)
})

test("what has no endpoints is refused, what has none here is dropped, the node and its pods are let through", () => {
  const spec = { type: "LoadBalancer", externalIPs: ["1.2.3.4"] }
  const status = { loadBalancer: { ingress: [{ ip: "5.6.7.8" }, { ip: "5.6.7.9", ipMode: "Proxy" }] } }
  const ports = [{ name: "http", port: 80, protocol: "TCP", nodePort: 30080 }]
  const rules = (more: Record<string, unknown>, endpoints: Record<string, unknown>[]): Ruleset =>
    rulesOf(stateOf([service("s", { ...spec, ports, ...more }, status)], [slice("s", endpoints)]))
  const keys = (ruleset: Ruleset, map: string): Record<string, string> =>
    Object.fromEntries([...ruleset.elements].find(([name]) => name === map)![1])
  const outer = ["1.2.3.4 . tcp . 80", "5.6.7.8 . tcp . 80"]
  const none = rules({}, [])
  assert.deepEqual(keys(none, "services"), {})
  assert.deepEqual(keys(none, "refused"), {
    "10.96.0.20 . tcp . 80": "goto refuse",
    [outer[0]!]: "goto refuse",
    [outer[1]!]: "goto refuse",
  })
  assert.deepEqual(keys(none, "refused-ports"), { "tcp . 30080": "goto refuse" })
  const elsewhere = rules({ externalTrafficPolicy: "Local" }, [ready("10.244.1.2", "b")])
  assert.deepEqual(keys(elsewhere, "refused"), { [outer[0]!]: "drop", [outer[1]!]: "drop" })
  assert.deepEqual(keys(elsewhere, "refused-ports"), { "tcp . 30080": "drop" })
  assert.deepEqual(Object.keys(keys(elsewhere, "services")), ["10.96.0.20 . tcp . 80", ...outer])
  const [, ext] = [...elsewhere.chains].find(([name]) => name.startsWith("ext-"))!
  const svc = [...elsewhere.chains.keys()].find((name) => name.startsWith("svc-"))!
  assert.deepEqual(ext, [
    `ip saddr 10.244.0.0/16 goto ${svc}`,
    "fib saddr type local mark set mark or 0x4000",
    `fib saddr type local goto ${svc}`,
  ])
  const inside = rules({ internalTrafficPolicy: "Local" }, [ready("10.244.1.2", "b")])
  assert.deepEqual(keys(inside, "refused"), { "10.96.0.20 . tcp . 80": "drop" })
  assert.ok([...inside.chains.keys()].some((name) => name.startsWith("all-")))
})

test("source ranges bound load balancer addresses only", () => {
  const status = { loadBalancer: { ingress: [{ ip: "5.6.7.8" }] } }
  const cases: [string[], string | undefined][] = [
    [[], undefined],
    [["10.0.0.0/8", "0.0.0.0/0"], undefined],
    [["fd00::/8"], undefined],
    [[" 192.0.2.0/24 "], "ip saddr != { 192.0.2.0/24 } drop"],
    [["192.0.2.0/24", "192.0.2.0/25", "192.0.2.0/24"], "ip saddr != { 192.0.2.0/24 } drop"],
    [["10.0.0.0/8"], "ip saddr != { 10.0.0.0/8, 5.6.7.8 } drop"],
    [["garbage; add table x"], "drop"],
    [["::; add table x"], "drop"],
  ]
  for (const [loadBalancerSourceRanges, expected] of cases) {
    const spec = {
      type: "LoadBalancer",
      externalIPs: ["1.2.3.4"],
      loadBalancerSourceRanges,
      ports: [{ name: "http", port: 80, nodePort: 30080 }],
    }
    const ruleset = rulesOf(stateOf([service("s", spec, status)], [slice("s", [ready("10.244.0.2")])]))
    const firewall = [...ruleset.chains].filter(([name]) => name.startsWith("fw-"))
    const what = JSON.stringify(loadBalancerSourceRanges)
    assert.deepEqual(
      firewall.flatMap(([, rules]) => rules),
      expected === undefined ? [] : [expected],
      what,
    )
    const keys = [...ruleset.elements.get("firewall")!.keys()]
    assert.deepEqual(keys, expected === undefined ? [] : ["5.6.7.8 . tcp . 80"], what)
  }
})

test("No Service takes an address of the cluster, of the machine or of an older Service", () => {
  const addresses = [
    "10.96.0.1",
    "10.96.0.10",
    "10.89.0.1",
    "10.244.0.5",
    "10.97.0.1",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "224.0.0.1",
    "255.255.255.255",
    "::ffff:10.96.0.1",
    "010.96.0.1",
    "1.2.3.4 : goto refuse }; add table ip pwn; #",
    "localhost",
    "2130706433",
  ]
  for (const ip of addresses)
    for (const spec of [{ externalIPs: [ip, "1.2.3.4"] }, { type: "LoadBalancer" }]) {
      const status = "type" in spec ? { loadBalancer: { ingress: [{ ip }, { ip: "1.2.3.4" }] } } : {}
      const state = stateOf([service("s", spec, status)], [slice("s", [ready("10.244.0.2")])])
      const keys = [...rulesOf(state).elements.get("services")!.keys()]
      assert.deepEqual(keys, ["10.96.0.20 . tcp . 80", "1.2.3.4 . tcp . 80"], ip)
      assert.deepEqual(
        state.refused.map(({ owner }) => owner.name),
        ["s"],
        ip,
      )
    }
  const young = service("a", { clusterIP: "10.96.0.21", externalIPs: ["1.2.3.4"] })
  young.metadata.creationTimestamp = "2026-01-02T00:00:00Z"
  const two = stateOf([young, service("s", { externalIPs: ["1.2.3.4"] })], [])
  assert.deepEqual(
    two.servicePorts.map((port) => port.externalIPs),
    [[], ["1.2.3.4"]],
  )
  assert.deepEqual(
    two.refused.map(({ owner, reason }) => `${owner.name}: ${reason}`),
    [`a: 1.2.3.4:80/tcp of its port "ns/a:http" belongs to "ns/s:http" already`],
  )
})

test("One object that cannot be programmed never stops the others", () => {
  const thrower = (what: string): Service => {
    const bad = service("bad", { clusterIP: "10.96.0.66" })
    Object.defineProperty(bad, what, {
      get() {
        throw new Error(`thrown by ${what}`)
      },
    })
    return bad
  }
  const evil = "1.2.3.4 return; add table ip pwn"
  const port = { name: "http", port: 80, protocol: "TCP" }
  const bad: [string, Service][] = [
    ["spec throws", thrower("spec")],
    ["status throws", thrower("status")],
    ["a cluster IP that is none", service("bad", { clusterIP: evil })],
    ["a port that is none", service("bad", { ports: [{ ...port, port: 70_000 }] })],
    ["a port that is no number", service("bad", { ports: [{ ...port, port: "80; drop" }] })],
    ["a protocol that is none", service("bad", { ports: [{ ...port, protocol: "TCP; drop" }] })],
    ["an endpoint that is none", service("evil-endpoints", { clusterIP: "10.96.0.66" })],
    ["a cluster IP of an older one", service("zbad", {})],
  ]
  const slices = [slice("s", [ready("10.244.0.2")]), slice("evil-endpoints", [ready(evil)])]
  for (const [what, one] of bad) {
    const state = stateOf([one, service("s", {})], slices)
    const good = state.servicePorts.find((found) => found.name === "ns/s:http")
    assert.deepEqual(good?.cluster, [{ address: "10.244.0.2", port: 8080 }], what)
    assert.equal(state.refused.length, 1, what)
    assert.equal(state.refused[0]!.owner.name, one.metadata.name, what)
    assert.doesNotMatch(fullText(rulesOf(state), options), /pwn/, what)
  }
  const hostIPs: [string, number, number][] = [
    ["", 1, 0],
    ["0.0.0.0", 1, 0],
    ["127.0.0.1", 1, 0],
    ["::ffff:10.0.0.1", 1, 0],
    ["::", 0, 0],
    ["fd00::1", 0, 0],
    [evil, 0, 1],
    ["garbage!", 0, 1],
    ["localhost", 0, 1],
    ["2130706433", 0, 1],
    ["1.2.3.4\nadd table ip pwn", 0, 1],
  ]
  for (const [hostIP, programmed, refused] of hostIPs) {
    const pods = [
      hostPortPod([{ hostPort: 8080, containerPort: 80, hostIP }], "bad"),
      hostPortPod([{ hostPort: 8081, containerPort: 80 }]),
    ]
    const state = stateOf([], [], pods)
    assert.equal(state.hostPorts.length, programmed + 1, hostIP)
    assert.equal(state.refused.length, refused, hostIP)
    assert.doesNotMatch(fullText(rulesOf(state), options), /pwn|garbage/, hostIP)
  }
  const throwing = hostPortPod([], "bad")
  Object.defineProperty(throwing, "status", {
    get() {
      throw new Error("thrown")
    },
  })
  assert.equal(
    stateOf([], [], [throwing, hostPortPod([{ hostPort: 1, containerPort: 1 }])]).hostPorts.length,
    1,
  )
})

test("Nobody is led to this host's loopback, to links or groups, or to another cluster, however it is spelt", () => {
  const bad = [
    ["127.0.0.1", "127.0.0.0/8"],
    ["127.1.2.3", "127.0.0.0/8"],
    ["::ffff:127.0.0.1", "127.0.0.0/8"],
    ["::ffff:7f00:1", "127.0.0.0/8"],
    ["127.000.000.001", "127.0.0.0/8"],
    ["0.0.0.0", "0.0.0.0/8"],
    ["0.1.2.3", "0.0.0.0/8"],
    ["169.254.169.254", "169.254.0.0/16"],
    ["::ffff:169.254.1.1", "169.254.0.0/16"],
    ["224.0.0.1", "224.0.0.0/4"],
    ["239.255.255.255", "224.0.0.0/4"],
    ["255.255.255.255", "255.255.255.255/32"],
    // Another cluster's API server, a pod of it, one of its services.
    ["10.89.1.1", "10.89.1.0/24"],
    ["010.089.001.001", "10.89.1.0/24"],
    ["10.243.0.2", "10.243.0.0/16"],
    ["10.97.0.1", "10.97.0.0/16"],
  ] as const
  const none = [
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost",
    "10.244.0.2/32",
    "10.244.0.2 ",
    "",
    "::1",
    "fe80::1",
  ]
  for (const [address, range] of bad) {
    const state = stateOf(
      [service("s", {})],
      [slice("s", [ready(address), ready("10.244.0.2")])],
      [hostPortPod([{ containerPort: 80, hostPort: 8080 }], "p", address)],
    )
    assert.deepEqual(
      state.servicePorts[0]!.cluster.map((target) => target.address),
      ["10.244.0.2"],
      address,
    )
    assert.deepEqual(state.hostPorts, [], address)
    const reasons = state.refused.map(({ owner, reason }) => `${owner.kind}: ${reason}`)
    const [, canonical] = /address (\S+) belongs/.exec(reasons[1]!)!
    assert.deepEqual(reasons, [
      `Service: its endpoint ${canonical} belongs to ${range}, where no endpoint may be`,
      `Pod: its address ${canonical} belongs to ${range}, where no pod may be`,
    ])
  }
  for (const address of none) {
    const state = stateOf(
      [service("s", {})],
      [slice("s", [ready(address), ready("10.244.0.2")])],
      [hostPortPod([{ containerPort: 80, hostPort: 8080 }], "p", address)],
    )
    assert.deepEqual(
      state.servicePorts[0]!.cluster.map((target) => target.address),
      ["10.244.0.2"],
      address,
    )
    assert.deepEqual(state.hostPorts, [], address)
  }
})

test("No external IP is an address of this machine, and balancers' may be", () => {
  for (const address of ["192.0.2.2", "192.000.002.002", "::ffff:192.0.2.2"]) {
    const spec = { type: "LoadBalancer", externalIPs: [address, "203.0.113.7"] }
    const status = { loadBalancer: { ingress: [{ ip: "192.0.2.2" }] } }
    const { servicePorts, refused } = stateOf(
      [service("s", spec, status)],
      [slice("s", [ready("10.244.0.2")])],
    )
    assert.deepEqual(servicePorts[0]!.externalIPs, ["203.0.113.7"], address)
    assert.deepEqual(servicePorts[0]!.balancerIPs, ["192.0.2.2"], address)
    assert.deepEqual(
      refused.map(({ reason }) => reason),
      ["its external IP 192.0.2.2 is this machine's own"],
    )
  }
})

test("an update names only what changed", () => {
  const services = [service("s", {}), service("t", { clusterIP: "10.96.0.21" })]
  const before = rulesOf(
    stateOf(services, [slice("s", [ready("10.244.0.2")]), slice("t", [ready("10.244.0.3")])]),
  )
  assert.equal(updateText(before, before, options), undefined)
  const after = rulesOf(
    stateOf(services, [
      slice("s", [ready("10.244.0.2"), ready("10.244.0.4")]),
      slice("t", [ready("10.244.0.3")]),
    ]),
  )
  const text = updateText(before, after, options)!
  assert.match(text, /flush chain/)
  assert.match(text, /add element ip knarr-test hairpin \{ 10\.244\.0\.4 \. 10\.244\.0\.4 \}/)
  assert.doesNotMatch(text, /10\.96\.0\.21|10\.244\.0\.3/)
})

const isRoot = process.getuid?.() === 0 && spawnSync("nft", ["--version"]).status === 0

test(
  "the kernel takes every state and every step between two",
  { skip: isRoot ? false : "needs root and nft" },
  () => {
    const pod = hostPortPod([
      { hostPort: 8081, containerPort: 80 },
      { hostPort: 8082, hostIP: "10.0.0.1", containerPort: 81, protocol: "UDP" },
    ])
    const affinity = {
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    }
    const nodePort = {
      type: "NodePort",
      ports: [{ name: "http", port: 80, protocol: "TCP", nodePort: 30080 }],
    }
    const two = [ready("10.244.0.2"), ready("10.244.1.2", "b")]
    const states = [
      stateOf([], []),
      stateOf([service("s", {})], [slice("s", two)]),
      stateOf([service("s", {})], []),
      stateOf([service("s", { ...nodePort, ...affinity })], [slice("s", two)]),
      stateOf(
        [service("s", { ...nodePort, ...affinity })],
        [slice("s", [ready("10.244.0.2"), ready("10.244.0.5")])],
      ),
      stateOf([service("s", { ...nodePort, externalTrafficPolicy: "Local" })], [slice("s", two)], [pod]),
      stateOf(
        [
          service("s", {
            ...nodePort,
            type: "LoadBalancer",
            externalIPs: ["1.2.3.4"],
            loadBalancerSourceRanges: ["10.0.0.0/8"],
            externalTrafficPolicy: "Local",
          }),
        ],
        [slice("s", [ready("10.244.1.2", "b")])],
        [pod],
      ),
      stateOf([], []),
    ].map(rulesOf)
    const steps = [fullText(states[0]!, options)]
    for (let i = 1; i < states.length; i++)
      steps.push(updateText(states[i - 1]!, states[i]!, options)!, fullText(states[i]!, options))
    // Each step is a transaction of its own, all in one fresh network namespace.
    const script = steps.map((step) => `nft -f - <<'EOF' || exit 1\n${step}\nEOF`).join("\n")
    const result = spawnSync("unshare", ["--net", "bash", "-c", `${script}\nnft list table ip knarr-test`], {
      encoding: "utf8",
    })
    assert.equal(result.status, 0, result.stderr)
    assert.doesNotMatch(result.stdout, /svc-|ext-|ep-/)
  },
)

test("services have chains of their own, whatever their names are made to look like", () => {
  // In pairs: what one 52-bit hash of names took for one.
  const names = [
    ["victim", "web", "http"],
    ["zed", "tk8uraao9aaa9c", ""],
    ["default", "kubernetes", "https"],
    ["zed", "w66oaaik9aah33", ""],
  ] as const
  const services = names.map(([namespace, name, port], i) => {
    const made = service(name, { clusterIP: `10.96.0.${20 + i}`, ports: [{ name: port, port: 80 }] })
    return { ...made, metadata: { ...made.metadata, namespace } }
  })
  const slices = names.map(([namespace, name, port], i) => {
    const made = slice(name, [ready(`10.244.0.${20 + i}`)])
    return { ...made, metadata: { ...made.metadata, namespace }, ports: [{ name: port, port: 80 }] }
  })
  const text = fullText(rulesOf(stateOf(services, slices as EndpointSlice[])), options)
  for (const i of names.keys()) {
    const element = new RegExp(`10\\.96\\.0\\.${20 + i} \\. [^,}]*goto (svc-h[0-9a-f]+)`)
    const chain = element.exec(text)?.[1] ?? assert.fail(`no chain for ${names[i]!.join("/")}`)
    const rules = text.split("\n").filter((one) => one.includes(chain) && one.includes("dnat"))
    assert.ok(rules.length > 0 && rules.every((one) => one.includes(`10.244.0.${20 + i}`)), rules.join("\n"))
  }
})
