import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment, namespace, pod, serviceAccount } from "@knarr/api"
import { withTestPlane, refusalMessage } from "../testing.ts"
import { createLoopbackClient } from "../loopback-client.ts"
import { loopbackUser } from "../authn/users.ts"

const label = (text: string): Record<string, string> => {
  const [mode, value] = text.split("=") as [string, string]
  return { [`pod-security.kubernetes.io/${mode}`]: value }
}
const badLevel = "must be one of privileged, baseline, restricted"
const badVersion = 'must be "latest" or "v1.x"'

test("a namespace's labels are levels and versions, or refused", async () => {
  const cases: [text: string, problem: string | undefined][] = [
    ["enforce=bogus", badLevel],
    ["enforce=Restricted", badLevel],
    ["enforce=", badLevel],
    ["audit=x", badLevel],
    ["warn=x", badLevel],
    ["enforce-version=v1", badVersion],
    ["enforce-version=v1.01", badVersion],
    ["enforce-version=1.30", badVersion],
    ["audit-version=x", badVersion],
    ["warn-version=x", badVersion],
    ["enforce-version=v1.30", undefined],
    ["enforce-version=latest", undefined],
    ["enforce=baseline", undefined],
  ]
  await withTestPlane(async (plane) => {
    const client = plane.client()
    await client.create(namespace, { metadata: { name: "old" } } as never)
    for (const [i, [text, problem]] of cases.entries()) {
      const [mode, value] = text.split("=") as [string, string]
      const expected = (name: string): string | undefined =>
        problem &&
        `Namespace "${name}" is invalid: metadata.labels[pod-security.kubernetes.io/${mode}]: Invalid value: ${JSON.stringify(value)}: ${problem}`
      const create = client.create(namespace, { metadata: { name: `n${i}`, labels: label(text) } } as never)
      assert.equal(await refusalMessage(create), expected(`n${i}`), text)
      const change = { metadata: { labels: label(text) } }
      const update = client.patch(namespace, { name: "old" }, "merge", change, { dryRun: true })
      assert.equal(await refusalMessage(update), expected("old"), text)
    }
  })
})

test("a new level warns about the pods that are there, and holds those that come", async () => {
  await withTestPlane(async (plane) => {
    let warnings: string[] = []
    const client = createLoopbackClient({
      registry: plane.registry,
      user: loopbackUser,
      onWarning: (text) => void warnings.push(text),
    })
    const warned = async (work: Promise<unknown>): Promise<string[]> => {
      warnings = []
      await work
      return warnings
    }
    await client.create(namespace, { metadata: { name: "ps1" } } as never)
    await client.create(serviceAccount, { metadata: { namespace: "ps1", name: "default" } } as never)
    const podOf = (name: string, spec: object = {}): never =>
      ({
        metadata: { namespace: "ps1", name },
        spec: { containers: [{ name: "a", image: "x" }], ...spec },
      }) as never
    for (const name of ["b", "a", "c"]) await client.create(pod, podOf(name))
    await client.create(pod, podOf("host", { hostNetwork: true }))
    const relabel = (text: string): Promise<string[]> =>
      warned(client.patch(namespace, { name: "ps1" }, "merge", { metadata: { labels: label(text) } }))
    const all =
      "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile"
    assert.deepEqual(await relabel("enforce=restricted"), [
      'existing pods in namespace "ps1" violate the new PodSecurity enforce level "restricted:latest"',
      `a (and 2 other pods): ${all}`,
      `host: host namespaces, ${all}`,
    ])
    assert.deepEqual(await relabel("enforce=baseline"), [])
    assert.deepEqual(await relabel("enforce=privileged"), [])
    assert.deepEqual(await relabel("enforce=baseline"), [
      'existing pods in namespace "ps1" violate the new PodSecurity enforce level "baseline:latest"',
      "host: host namespaces",
    ])
    const violates = 'PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    assert.equal(
      await refusalMessage(client.create(pod, podOf("h2", { hostNetwork: true }))),
      `pods "h2" is forbidden: violates ${violates}`,
    )
    const at = { namespace: "ps1", name: "host" }
    await client.patch(pod, at, "merge", { metadata: { labels: { z: "y" } } })
    const image = { spec: { containers: [{ name: "a", image: "y" }] } }
    assert.equal(
      await refusalMessage(client.patch(pod, at, "strategic", image)),
      `pods "host" is forbidden: violates ${violates}`,
    )
    const labels = { a: "b" }
    const workload = {
      metadata: { namespace: "ps1", name: "d" },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { hostNetwork: true, containers: [{ name: "a", image: "x" }] },
        },
      },
    }
    assert.deepEqual(await warned(client.create(deployment, workload as never)), [
      `would violate ${violates}`,
    ])
  })
})
