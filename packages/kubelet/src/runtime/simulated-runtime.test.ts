import assert from "node:assert/strict"
import { test } from "node:test"
import { seededRandom, silentLogger, systemClock, Meter } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { runtimeConformance } from "./runtime.conformance.ts"
import { SimulatedHost, type SimulatedBehaviour, type SimulatedContainer } from "./simulated-host.ts"
import { createSimulatedRuntime } from "./simulated-runtime.ts"

/** Acts out the shell lines that the suite uses. */
function actOut({ config }: SimulatedContainer): SimulatedBehaviour {
  const script = config.command.at(-1) ?? ""
  const exit = /^exit (\d+)/.exec(script)
  if (exit) return { exitAfterMs: 1, exitCode: Number(exit[1]) }
  const trap = /^trap "exit (\d+)"/.exec(script)
  return trap ? { stopExitCode: Number(trap[1]) } : { stopAfterMs: Infinity }
}

runtimeConformance("The simulated runtime", {
  create: async () => {
    const env = { clock: systemClock, random: seededRandom(1), log: silentLogger, meter: new Meter() }
    const host = new SimulatedHost({
      env,
      podCIDR: "10.244.0.0/24",
      behaviour: actOut,
      exec: (_, command) => {
        const script = command.at(-1) ?? ""
        if (script.startsWith("sleep")) return { delayMs: 1_000_000 }
        return script.startsWith("echo") ? { stdout: "out\n", stderr: "err\n", exitCode: 5 } : {}
      },
    })
    const signal = new AbortController().signal
    await host.pullImage("test.invalid/shell:1", signal)
    await host.pullImage("test.invalid/spare:1", signal)
    return {
      image: "test.invalid/shell:1",
      spareImage: "test.invalid/spare:1",
      cgroupParent: "/test",
      connect: () => createSimulatedRuntime(host),
      dispose: async () => {},
    }
  },
})

test("Simulated containers follow their script on the virtual clock, the same way from the same seed", async () => {
  const play = async (): Promise<string[]> => {
    const env = virtualEnv(7)
    const { clock } = env
    const host = new SimulatedHost({
      env,
      podCIDR: "10.1.0.0/29",
      behaviour: () => ({ startDelayMs: 500, exitAfterMs: 86_400_000, exitCode: 2 }),
    })
    const runtime = createSimulatedRuntime(host)
    const stop = new AbortController()
    const call = { signal: stop.signal }
    const lines: string[] = []
    const start = clock.now()
    const watching = (async () => {
      for await (const event of runtime.events(stop.signal))
        lines.push(
          `${event.atMs - start} ${event.type}${event.type === "resync" ? "" : ` ${event.containerId}`}`,
        )
    })()
    const running = (async () => {
      await runtime.pullImage({ image: { image: "app" } }, call)
      const config = { metadata: { name: "p", namespace: "d", uid: "u", attempt: 0 } }
      const { podSandboxId } = await runtime.runPodSandbox({ config }, call)
      const container = { metadata: { name: "c" }, image: { image: "app" } }
      const { containerId } = await runtime.createContainer({ podSandboxId, config: container }, call)
      await runtime.startContainer({ containerId }, call)
    })()
    await clock.advance(2 * 86_400_000)
    await running
    stop.abort()
    await watching
    return lines
  }
  const lines = await play()
  assert.deepEqual(
    lines.map((line) => line.split(" ").slice(0, 2).join(" ")),
    ["0 resync", "86400500 stopped"],
  )
  assert.deepEqual(await play(), lines)
})

test("A simulated node runs out of addresses and gets them back", async () => {
  const env = virtualEnv()
  const runtime = createSimulatedRuntime(new SimulatedHost({ env, podCIDR: "10.1.0.0/29" }))
  const call = { signal: new AbortController().signal }
  const run = async (name: string): Promise<string> =>
    (await runtime.runPodSandbox({ config: { metadata: { name } } }, call)).podSandboxId
  const ids: string[] = []
  for (let i = 0; i < 5; i++) ids.push(await run(`p${i}`))
  await assert.rejects(run("p5"), /no IP addresses available in range set: 10\.1\.0\.0\/29/)
  await runtime.stopPodSandbox({ podSandboxId: ids[2]! }, call)
  const { status } = await runtime.podSandboxStatus({ podSandboxId: await run("p6") }, call)
  assert.equal(status!.network!.ip, "10.1.0.4")
})
