import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment, horizontalPodAutoscaler } from "@knarr/api"
import { buildHelloImage } from "../../examples/hello/image.ts"
import { eventually, KnarrHome } from "./knarr-command.ts"
import { findKubectls } from "./kubectl-programs.ts"

const namespace = "default"
const ref = { namespace, name: "busy" }

test(
  "a deployment under load gets replicas, and kubectl top tells of what they use",
  { timeout: 180_000 },
  async () => {
    await using home = new KnarrHome("autoscaling")
    await home.up(
      "--horizontal-pod-autoscaler-sync-period",
      "3s",
      // Containers here are as good as ready when they are.
      "--horizontal-pod-autoscaler-cpu-initialization-period",
      "1s",
    )
    await home.loadImage(await buildHelloImage("1"))
    const { client, transport } = await home.connect()
    using _transport = transport
    await client.create(deployment, {
      metadata: ref,
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: "busy" } },
        template: {
          metadata: { labels: { app: "busy" } },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [
              {
                name: "app",
                image: "hello:1",
                command: ["sh", "-c", "while :; do :; done"],
                resources: { requests: { cpu: "20m" }, limits: { cpu: "60m" } },
              },
            ],
          },
        },
      },
    })
    await client.create(horizontalPodAutoscaler, {
      metadata: ref,
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "busy" },
        minReplicas: 1,
        maxReplicas: 2,
        metrics: [
          {
            type: "Resource",
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 100 } },
          },
        ],
      },
    } as never)
    const replicas = async (): Promise<number> =>
      (await client.get(deployment, ref)).status.readyReplicas ?? 0
    await eventually("two replicas", async () => ((await replicas()) === 2 ? true : undefined), 60_000)
    const { status } = await client.get(horizontalPodAutoscaler, ref)
    assert.ok((status.currentMetrics?.[0]?.resource?.current.averageUtilization ?? 0) > 100)

    // Of the view role, which knows nothing of metrics by itself.
    const allowed = ["auth", "can-i", "list", "pods.metrics.k8s.io", "--as", "reader"]
    assert.match((await home.tryKubectl(allowed)).stdout, /^no/)
    await home.kubectl(["create", "rolebinding", "reader", "--clusterrole", "view", "--user", "reader"])
    await eventually("a reader's right", async () =>
      (await home.tryKubectl(allowed)).stdout.startsWith("yes") ? true : undefined,
    )

    for (const kubectl of [undefined, (await findKubectls()).at(-1)?.path]) {
      const nodes = await home.kubectl(["top", "nodes"], kubectl)
      assert.match(nodes, /^NAME +CPU\(cores\).*\nnode-0 +\d+m +\d+% +\d+Mi +\d+%/)
      // A container is told of when it was looked at twice.
      const used = await eventually("what both pods use", async () => {
        const pods = await home.kubectl(["top", "pods"], kubectl)
        const found = [...pods.matchAll(/^busy-\S+ +(\d+)m +\d+Mi/gm)].map(([, milli]) => Number(milli))
        return found.length === 2 ? found : undefined
      })
      for (const milli of used) assert.ok(milli > 20 && milli < 100, used.join())
    }
  },
)
