import assert from "node:assert/strict"
import { it } from "node:test"
import { deployment, horizontalPodAutoscaler } from "@knarr/api"
import { startControlPlane } from "./testing.ts"

it("On simulated nodes a deployment is scaled by what its containers are said to use", async () => {
  let cpuNanoCores = 200_000_000
  const behaviour = () => ({
    get cpuNanoCores() {
      return cpuNanoCores
    },
  })
  await using cluster = await startControlPlane({ time: "virtual", nodes: [{ name: "n1", behaviour }] })
  const { client, clock } = cluster
  const ref = { namespace: "default", name: "web" }
  await client.create(deployment, {
    metadata: ref,
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "app", image: "img", resources: { requests: { cpu: "100m" } } }] },
      },
    },
  })
  await client.create(horizontalPodAutoscaler, {
    metadata: ref,
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
      maxReplicas: 6,
    },
  } as never)
  const ready = (): number | undefined => cluster.plane.registry.get(deployment, ref)?.status.readyReplicas
  await clock.runUntil(() => ready() === 6, { what: "six replicas", limitMs: 120_000 })
  cpuNanoCores = 10_000_000
  await clock.runUntil(() => ready() === 1, { what: "one replica", limitMs: 400_000 })
  const { status } = await client.get(horizontalPodAutoscaler, ref)
  assert.equal(status.currentMetrics?.[0]?.resource?.current.averageUtilization, 10)
})
