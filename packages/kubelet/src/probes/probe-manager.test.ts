import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Container, Pod } from "@knarr/api"
import { Scope, VirtualClock } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import type { EventRecorder } from "@knarr/client"
import { SimulatedHost, type SimulatedExec } from "../runtime/simulated-host.ts"
import { createSimulatedRuntime } from "../runtime/simulated-runtime.ts"
import { createProbeManager, type NodeProbeManager, type ReportedOutcome } from "./probe-manager.ts"
import { simulatedProbeNetwork, type ProbeNetwork } from "./probe-network.ts"
import type { ProbeAnswer } from "./probe-answer.ts"

interface Bed {
  readonly clock: VirtualClock
  readonly manager: NodeProbeManager
  readonly outcomes: ReportedOutcome[]
  readonly events: string[]
  /** Times of probes, in milliseconds since the container's start. */
  readonly probed: number[]
  readonly pod: Pod
  readonly id: string
}

interface Setup {
  readonly container: Partial<Container>
  /** The answers of exec probes, by how many came before. */
  readonly exec?: (count: number, nowMs: number) => SimulatedExec
  readonly network?: (count: number, nowMs: number) => ProbeAnswer
  readonly status?: Pod["status"]
}

const never = new AbortController().signal

async function bed(setup: Setup, run: (bed: Bed) => Promise<void>): Promise<void> {
  const env = virtualEnv(3)
  const { clock } = env
  await using scope = new Scope("test")
  const probed: number[] = []
  let startMs = 0
  const answer = <T>(make: ((count: number, nowMs: number) => T) | undefined, otherwise: T): T => {
    probed.push(clock.monotonic() - startMs)
    return make?.(probed.length - 1, clock.monotonic() - startMs) ?? otherwise
  }
  const host = new SimulatedHost({ env, podCIDR: "10.0.0.0/24", exec: () => answer(setup.exec, {}) })
  const runtime = createSimulatedRuntime(host)
  const reach = async (): Promise<ProbeAnswer> => answer(setup.network, { result: "success", output: "" })
  const network: ProbeNetwork = setup.network
    ? { http: reach, tcp: reach, grpc: reach }
    : simulatedProbeNetwork
  const events: string[] = []
  const recorder: EventRecorder = {
    event: (subject, type, reason, message) =>
      events.push(`${"fieldPath" in subject ? subject.fieldPath : ""} ${type} ${reason} ${message}`),
  }
  const outcomes: ReportedOutcome[] = []
  const onOutcome = (outcome: ReportedOutcome): void => void outcomes.push(outcome)
  const manager = createProbeManager({ env, scope, runtime, network, onOutcome, recorder })
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name: "p", uid: "u" },
    spec: { containers: [{ name: "app", image: "img", ...setup.container }] },
    status: setup.status ?? {},
  } as Pod
  await runtime.pullImage({ image: { image: "img" } }, { signal: never })
  const metadata = { name: "p", namespace: "default", uid: "u" }
  const { podSandboxId } = await runtime.runPodSandbox({ config: { metadata } }, { signal: never })
  const config = { metadata: { name: "app" }, image: { image: "img" } }
  const { containerId } = await runtime.createContainer({ podSandboxId, config }, { signal: never })
  await runtime.startContainer({ containerId }, { signal: never })
  startMs = clock.monotonic()
  await run({ clock, manager, outcomes, events, probed, pod, id: containerId })
}

const exec = { command: ["check"] }
const short = (outcome: ReportedOutcome): string => `${outcome.type}=${outcome.success}`

describe("probe manager", () => {
  it("probes at once and tells a result once", () =>
    bed(
      { container: { readinessProbe: { exec } } },
      async ({ clock, manager, outcomes, pod, id, probed }) => {
        assert.equal(manager.result("u", "app", id, "readiness"), undefined)
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(35_000)
        assert.deepEqual(outcomes.map(short), ["readiness=true"])
        assert.deepEqual(probed, [0, 10_000, 20_000, 30_000])
        assert.equal(manager.result("u", "app", id, "readiness"), true)
        assert.equal(manager.result("u", "app", "other", "readiness"), undefined)
        const labels =
          'container="app",namespace="default",pod="p",pod_uid="u",probe_type="Readiness",result="successful"'
        assert.ok(manager.metrics().includes(`prober_probe_total{${labels}} 4\n`))
        manager.stop("u")
        await clock.advance(35_000)
        assert.equal(probed.length, 4)
        assert.equal(manager.result("u", "app", id, "readiness"), undefined)
      },
    ))

  it("waits for the initial delay and counts thresholds", () =>
    bed(
      {
        container: {
          readinessProbe: {
            exec,
            initialDelaySeconds: 5,
            periodSeconds: 1,
            successThreshold: 2,
            failureThreshold: 3,
          },
        },
        exec: (count) => ({ exitCode: count < 2 || count > 5 ? 0 : 1, stdout: "bad" }),
      },
      async ({ clock, manager, outcomes, pod, id, probed, events }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(5500)
        assert.deepEqual(probed, [5000])
        assert.deepEqual(outcomes, [])
        await clock.advance(1000)
        assert.deepEqual(outcomes.map(short), ["readiness=true"])
        await clock.advance(2000)
        assert.equal(outcomes.length, 1)
        await clock.advance(1000)
        assert.deepEqual(outcomes.map(short), ["readiness=true", "readiness=false"])
        await clock.advance(3000)
        assert.deepEqual(outcomes.map(short), ["readiness=true", "readiness=false", "readiness=true"])
        assert.equal(events[0], "spec.containers{app} Warning Unhealthy Readiness probe failed: bad")
        assert.equal(events.length, 4)
      },
    ))

  it("gives up on a container whose liveness fails, and reports the probe's own grace period", () =>
    bed(
      {
        container: { livenessProbe: { exec, periodSeconds: 2, terminationGracePeriodSeconds: 7 } },
        exec: () => ({ exitCode: 1, stderr: "dead" }),
      },
      async ({ clock, manager, outcomes, pod, id, probed }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(60_000)
        assert.deepEqual(outcomes.map(short), ["liveness=false"])
        assert.equal(outcomes[0]?.terminationGracePeriodSeconds, 7)
        assert.equal(outcomes[0]?.message, "dead")
        assert.deepEqual(probed, [0, 2000, 4000])
        manager.containerStarted(pod, "app", "next", "10.0.0.2")
        assert.equal(manager.result("u", "app", "next", "liveness"), undefined)
      },
    ))

  it("holds the others back until startup has succeeded, then probes at once", () =>
    bed(
      {
        container: {
          startupProbe: { exec, periodSeconds: 3, failureThreshold: 5 },
          readinessProbe: { exec, periodSeconds: 30 },
          livenessProbe: { exec, periodSeconds: 30 },
        },
        exec: (_, nowMs) => ({ exitCode: nowMs < 6000 ? 1 : 0 }),
      },
      async ({ clock, manager, outcomes, pod, id, probed }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(5999)
        assert.deepEqual(outcomes, [])
        await clock.advance(2)
        assert.deepEqual(outcomes.map(short), ["startup=true", "readiness=true", "liveness=true"])
        await clock.advance(20_000)
        assert.deepEqual(probed, [0, 3000, 6000, 6000, 6000])
        assert.equal(manager.result("u", "app", id, "startup"), true)
      },
    ))

  it("goes on with readiness while a pod is being ended", () =>
    bed(
      {
        container: {
          readinessProbe: { exec, failureThreshold: 1 },
          livenessProbe: { exec, failureThreshold: 1 },
        },
        exec: (_, nowMs) => ({ exitCode: nowMs > 15_000 ? 1 : 0 }),
      },
      async ({ clock, manager, outcomes, pod, id }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(12_000)
        manager.stopLivenessAndStartup("u")
        await clock.advance(20_000)
        assert.deepEqual(outcomes.map(short), ["readiness=true", "liveness=true", "readiness=false"])
      },
    ))

  it("fails startup for good", () =>
    bed(
      {
        container: {
          startupProbe: { exec, periodSeconds: 1, failureThreshold: 2 },
          readinessProbe: { exec },
        },
        exec: () => ({ exitCode: 1 }),
      },
      async ({ clock, manager, outcomes, pod, id }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(30_000)
        assert.deepEqual(outcomes.map(short), ["startup=false"])
      },
    ))

  it("says when a command took too long", () =>
    bed(
      {
        container: { livenessProbe: { exec: { command: ["sleep", "9"] }, failureThreshold: 1 } },
        exec: () => ({ delayMs: 9000 }),
      },
      async ({ clock, manager, events, pod, id }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(1500)
        assert.deepEqual(events, [
          'spec.containers{app} Warning Unhealthy Liveness probe failed: command timed out: "sleep 9" timed out after 1s',
        ])
      },
    ))

  it("is ready soon after the port opens, with one event for the refusals before", () =>
    bed(
      {
        container: { readinessProbe: { tcpSocket: { port: 80 } } },
        network: (_, nowMs) =>
          nowMs < 700
            ? {
                result: "failure",
                output: "dial tcp 10.0.0.2:80: connect: connection refused",
                refused: true,
              }
            : { result: "success", output: "" },
      },
      async ({ clock, manager, outcomes, events, pod, id, probed }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(1000)
        assert.deepEqual(outcomes.map(short), ["readiness=true"])
        assert.deepEqual(events, [
          "spec.containers{app} Warning Unhealthy Readiness probe failed: dial tcp 10.0.0.2:80: connect: connection refused",
        ])
        await clock.advance(20_000)
        assert.deepEqual(probed.slice(-2), [10_000, 20_000])
      },
    ))

  it("warns about a redirect and counts it as a success", () =>
    bed(
      {
        container: { readinessProbe: { httpGet: { port: 80 } } },
        network: () => ({ result: "warning", output: "Probe terminated redirects, Response body: " }),
      },
      async ({ clock, manager, outcomes, events, pod, id }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(1)
        assert.deepEqual(outcomes.map(short), ["readiness=true"])
        assert.match(events[0]!, /Warning ProbeWarning Readiness probe warning: Probe terminated redirects/)
      },
    ))

  it("ignores a probe that could not be made", () =>
    bed(
      {
        container: { readinessProbe: { httpGet: { port: "web" } } },
        network: () => ({ result: "success", output: "" }),
      },
      async ({ clock, manager, outcomes, events, pod, id }) => {
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        await clock.advance(5)
        assert.deepEqual(outcomes, [])
        assert.match(
          events[0]!,
          /Readiness probe errored and resulted in unknown state: couldn't find port: "web"/,
        )
      },
    ))

  it("goes on with what a container was before the kubelet restarted", async () => {
    const running = { startedAt: "2025-12-31T00:00:00Z" }
    await bed(
      {
        container: {
          startupProbe: { exec },
          readinessProbe: { exec, periodSeconds: 4 },
          livenessProbe: { exec },
        },
        status: {},
      },
      async ({ clock, manager, outcomes, pod, id, probed }) => {
        const status = { name: "app", image: "", imageID: "", ready: true, started: true, restartCount: 0 }
        pod.status = {
          containerStatuses: [{ ...status, containerID: `containerd://${id}`, state: { running } }],
        }
        manager.containerStarted(pod, "app", id, "10.0.0.2")
        assert.equal(manager.result("u", "app", id, "readiness"), true)
        assert.equal(manager.result("u", "app", id, "startup"), true)
        await clock.advance(12_000)
        assert.deepEqual(outcomes.map(short), ["liveness=true"])
        assert.ok(probed[0]! > 0, "not all at once")
      },
    )
  })
})
