import assert from "node:assert/strict"
import { it } from "node:test"
import { Scope } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { createSimulatedNodeHost } from "../node/node-host.ts"
import { SimulatedHost } from "../runtime/simulated-host.ts"
import { createSimulatedRuntime } from "../runtime/simulated-runtime.ts"
import { ImageCollector } from "./image-collector.ts"

const never = new AbortController().signal

it("leaves an image that a pod has as a volume", async () => {
  const env = virtualEnv()
  await using scope = new Scope("test")
  const runtime = createSimulatedRuntime(new SimulatedHost({ env, podCIDR: "10.1.0.0/24" }))
  for (const image of ["example.com/files:1", "example.com/other:1"])
    await runtime.pullImage({ image: { image } }, { signal: never })
  const collector = new ImageCollector({
    ...{ env, scope, runtime, host: createSimulatedNodeHost({ hostname: "n1" }), spared: [] },
    mounted: () => ["example.com/files:1", "example.com/never-pulled:1"],
  })
  await collector.prune(never)
  const { images } = await runtime.listImages({}, { signal: never })
  assert.deepEqual(
    images.flatMap(({ repoTags }) => repoTags),
    ["example.com/files:1"],
  )
})

it("removes the longest unused images when the disk is nearly full, and no more than it must", async () => {
  const env = virtualEnv()
  const { clock } = env
  await using scope = new Scope("test")
  const runtime = createSimulatedRuntime(new SimulatedHost({ env, podCIDR: "10.1.0.0/24" }))
  const pull = (name: string): Promise<unknown> =>
    runtime.pullImage({ image: { image: name } }, { signal: never })
  const names = async (): Promise<string[]> =>
    (await runtime.listImages({}, { signal: never })).images.flatMap(({ repoTags }) => repoTags).sort()
  let availableBytes = 50
  const host = {
    ...createSimulatedNodeHost({ hostname: "n1" }),
    filesystem: () => ({ capacityBytes: 100, availableBytes, inodes: 1, inodesFree: 1, device: 1 }),
  }
  const collector = new ImageCollector({ env, scope, runtime, host, spared: ["example.com/spared:1"] })
  await pull("example.com/spared:1")
  await pull("example.com/old:1")
  await clock.advance(5 * 60_000)
  await pull("example.com/new:1")
  await clock.advance(5 * 60_000)
  assert.equal((await names()).length, 3)
  availableBytes = 10
  await clock.advance(5 * 60_000)
  assert.deepEqual(await names(), ["example.com/new:1", "example.com/spared:1"])
  await collector.prune(never)
  assert.deepEqual(await names(), ["example.com/spared:1"])
})
