import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import type { EndpointSlice, Pod, Service } from "@knarr/api"
import { computeProxyState, computeRuleset, fullText, updateText } from "./index.ts"

const options = { table: "knarr-test", podCIDR: "10.244.0.0/16" }

function service(name: string, spec: Record<string, unknown>): Service {
  return {
    metadata: { namespace: "ns", name },
    spec: { clusterIP: "10.96.0.20", ports: [{ name: "http", port: 80, protocol: "TCP" }], ...spec },
    status: {},
  } as unknown as Service
}

function slice(name: string, endpoints: Record<string, unknown>[], port = 8080): EndpointSlice {
  return {
    metadata: { namespace: "ns", name, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "http", port, protocol: "TCP" }],
    endpoints,
  } as unknown as EndpointSlice
}

function stateOf(
  services: Service[],
  slices: EndpointSlice[],
  pods: Pod[] = [],
): ReturnType<typeof computeProxyState> {
  const slicesOf = (key: string): EndpointSlice[] =>
    slices.filter(
      (s) => `${s.metadata.namespace}/${s.metadata.labels!["kubernetes.io/service-name"]}` === key,
    )
  return computeProxyState({ services, slicesOf, pods, nodeName: "a" })
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
    return { internal: port!.internal.map((t) => t.address), external: port!.external.map((t) => t.address) }
  }
  const all = [ready("10.244.0.2"), ready("10.244.1.2", "b")]
  const cases: [string, Record<string, unknown>, Record<string, unknown>[], string[], string[]][] = [
    ["every ready endpoint", {}, all, ["10.244.0.2", "10.244.1.2"], ["10.244.0.2", "10.244.1.2"]],
    [
      "local ones for external traffic",
      { externalTrafficPolicy: "Local" },
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

test("an update names only what changed", () => {
  const services = [service("s", {}), service("t", { clusterIP: "10.96.0.21" })]
  const before = computeRuleset(
    stateOf(services, [slice("s", [ready("10.244.0.2")]), slice("t", [ready("10.244.0.3")])]),
    options,
  )
  assert.equal(updateText(before, before, options), undefined)
  const after = computeRuleset(
    stateOf(services, [
      slice("s", [ready("10.244.0.2"), ready("10.244.0.4")]),
      slice("t", [ready("10.244.0.3")]),
    ]),
    options,
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
    const pod = {
      metadata: { namespace: "ns", name: "p" },
      spec: {
        containers: [
          {
            ports: [
              { hostPort: 8081, containerPort: 80 },
              { hostPort: 8082, hostIP: "10.0.0.1", containerPort: 81, protocol: "UDP" },
            ],
          },
        ],
      },
      status: { podIP: "10.244.0.7" },
    } as unknown as Pod
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
    ].map((state) => computeRuleset(state, options))
    let script = fullText(states[0]!, options)
    const steps = [script]
    for (let i = 1; i < states.length; i++)
      steps.push(updateText(states[i - 1]!, states[i]!, options)!, fullText(states[i]!, options))
    // Each step is a transaction of its own, all in one fresh network namespace.
    script = steps.map((step) => `nft -f - <<'EOF' || exit 1\n${step}\nEOF`).join("\n")
    const result = spawnSync("unshare", ["--net", "bash", "-c", `${script}\nnft list table ip knarr-test`], {
      encoding: "utf8",
    })
    assert.equal(result.status, 0, result.stderr)
    assert.doesNotMatch(result.stdout, /svc-|ext-|ep-/)
  },
)
