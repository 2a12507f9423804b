/** A control plane on a virtual clock, for the tests of what the kubelet does with the API. */
import { kinds, pod as podKind, serviceAccount, type Pod } from "@knarr/api"
import {
  Scope,
  VirtualClock,
  createPrivateKeyPem,
  seededRandom,
  silentLogger,
  type Env,
  Meter,
} from "@knarr/base"
import type { Client } from "@knarr/client"
import { createControlPlane } from "../../../apiserver/src/index.ts"
import { createMemoryStore } from "../../../store/src/index.ts"

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

const signingKey = createPrivateKeyPem()

/** Runs `run` against a new control plane with the namespace `default`. */
export async function withPlane(run: (plane: TestPlane) => Promise<void>): Promise<void> {
  const clock = new VirtualClock()
  const env: Env = { clock, random: seededRandom(7), log: silentLogger, meter: new Meter() }
  await using root = new Scope("test")
  const store = root.use(createMemoryStore({ env }))
  const serviceAccounts = { signingKey, issuers: ["https://kubernetes.default.svc"] }
  const plane = await createControlPlane({ env, store, kinds, scope: root, serviceAccounts })
  await plane.bootstrap()
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
