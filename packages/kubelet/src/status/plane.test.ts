/** A control plane on a virtual clock, for the tests of what the kubelet does with the API. */
import { pod as podKind, serviceAccount, type Pod } from "@knarr/api"
import { Scope, VirtualClock, type Env } from "@knarr/base"
import { startTestPlane, virtualEnv } from "@knarr/testkit"
import type { Client } from "@knarr/client"

export interface TestPlane {
  readonly clock: VirtualClock
  readonly env: Env
  readonly client: Client
  /** Acts as the kubelet of `n1` and may do no more than it. */
  readonly nodeClient: Client
  readonly scope: Scope
  /** A pod bound to `n1`. */
  createPod(spec?: Partial<Pod["spec"]>, name?: string): Promise<Pod>
  /** Until `done` resolves to true, within a virtual minute. */
  until(what: string, done: () => boolean | Promise<boolean>): Promise<void>
}

/** Runs `run` against a new control plane with the namespace `default`. */
export async function withPlane(run: (plane: TestPlane) => Promise<void>): Promise<void> {
  const env = virtualEnv(7)
  const { clock } = env
  await using root = new Scope("test")
  const plane = await startTestPlane(root, env)
  const client = plane.client()
  const account = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { namespace: "default", name: "default" },
  }
  await client.create(serviceAccount, account as never)
  await using scope = root.child("kubelet")
  await run({
    clock,
    env,
    client,
    nodeClient: plane.client({ name: "system:node:n1", groups: ["system:nodes", "system:authenticated"] }),
    scope,
    createPod: (spec, name = "p") =>
      client.create(podKind, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace: "default", name },
        spec: {
          containers: [{ name: "app", image: "img" }],
          nodeName: "n1",
          automountServiceAccountToken: false,
          ...spec,
        },
      } as never),
    async until(what, done) {
      for (let tries = 0; tries < 600; tries++) {
        await clock.advance(100)
        if (await done()) return
      }
      throw new Error(`It did not happen: ${what}`)
    },
  })
}
