import assert from "node:assert/strict"
import { podOf } from "@knarr/testkit"
import { test } from "node:test"
import type { Container, Pod } from "@knarr/api"
import { hashContainer } from "./labels.ts"
import { planPod, type ProbeResult } from "./plan.ts"
import type { RuntimeContainer, RuntimePod, RuntimeSandbox } from "./runtime-pod.ts"

const sandbox: RuntimeSandbox = {
  id: "s0",
  attempt: 0,
  ready: true,
  createdAtMs: 1,
  onHostNetwork: false,
  ips: ["10.0.0.1"],
}

function containerOf(name: string, more: Partial<Container> = {}): Container {
  return { name, image: `${name}:1`, ...more }
}

const podWith = (spec: Partial<Pod["spec"]>): Pod =>
  podOf({ spec: { containers: [containerOf("a")], ...spec } })

/** `a running`, `b exited 1`, `c created`; the newest first. */
function runtimeOf(texts: readonly string[], sandboxes: readonly RuntimeSandbox[] = [sandbox]): RuntimePod {
  const containers = texts.map((text, i): RuntimeContainer => {
    const [name, state, exitCode = "0"] = text.split(" ") as [string, RuntimeContainer["state"], string?]
    return {
      ...{ id: `${name}-id`, sandboxId: "s0", name, state, restartCount: 0, exitCode: Number(exitCode) },
      hash: hashContainer(containerOf(name)),
      createdAtMs: 100 - i,
      ...{ startedAtMs: 1, finishedAtMs: 2, reason: "", message: "", image: "", imageRef: "", logPath: "" },
      ...{ resources: undefined, user: undefined, stopSignal: "", graceSeconds: undefined },
      recursiveReadOnly: [],
    }
  })
  return { uid: "u", name: "p", namespace: "d", sandboxes, containers }
}

interface Case {
  readonly name: string
  readonly spec?: Partial<Pod["spec"]>
  readonly runtime: RuntimePod
  /** `container type` of probes that failed; `+container type` of those that succeeded. */
  readonly probes?: readonly string[]
  /** What is done, in one line. */
  readonly want: string
}

const notReady = { ...sandbox, ready: false }
const side = containerOf("side", { restartPolicy: "Always" })
const probed = { httpGet: { port: 1 } }

const cases: readonly Case[] = [
  { name: "a new pod", runtime: runtimeOf([], []), want: "kill sandbox#0 start:a" },
  {
    name: "a new pod with init containers",
    spec: { initContainers: [containerOf("i"), containerOf("j")] },
    runtime: runtimeOf([], []),
    want: "kill sandbox#0 init:i",
  },
  { name: "all is well", runtime: runtimeOf(["a running"]), want: "" },
  {
    name: "the sandbox is lost",
    runtime: runtimeOf(["a exited 137"], [notReady]),
    want: "kill sandbox#1 start:a",
  },
  {
    name: "the sandbox is lost, nothing restarts",
    spec: { restartPolicy: "Never" },
    runtime: runtimeOf(["a exited 137"], [notReady]),
    want: "kill",
  },
  {
    name: "the sandbox is lost after success",
    spec: { restartPolicy: "OnFailure" },
    runtime: runtimeOf(["a exited"], [notReady]),
    want: "kill",
  },
  {
    name: "the sandbox has no address",
    runtime: runtimeOf(["a running"], [{ ...sandbox, ips: [] }]),
    want: "kill sandbox#1 start:a",
  },
  {
    name: "the sandbox is on the wrong network",
    spec: { hostNetwork: true },
    runtime: runtimeOf(["a running"]),
    want: "kill sandbox#1 start:a",
  },
  {
    name: "two sandboxes are ready",
    runtime: runtimeOf(["a running"], [{ ...sandbox, id: "s1", attempt: 1 }, sandbox]),
    want: "kill sandbox#2 start:a",
  },
  { name: "a container exited, Always", runtime: runtimeOf(["a exited"]), want: "start:a" },
  {
    name: "a container failed, OnFailure",
    spec: { restartPolicy: "OnFailure" },
    runtime: runtimeOf(["a exited 1"]),
    want: "start:a",
  },
  {
    name: "a container succeeded, OnFailure",
    spec: { restartPolicy: "OnFailure" },
    runtime: runtimeOf(["a exited"]),
    want: "kill",
  },
  {
    name: "one of two succeeded, Never",
    spec: { restartPolicy: "Never", containers: [containerOf("a"), containerOf("b")] },
    runtime: runtimeOf(["a exited", "b running"]),
    want: "",
  },
  { name: "created but not started", runtime: runtimeOf(["a created"]), want: "start:a" },
  {
    name: "unknown",
    runtime: runtimeOf(["a unknown"]),
    want: 'kill:a(Container is in "unknown" state, try killing it before restart) start:a',
  },
  {
    name: "liveness failed",
    runtime: runtimeOf(["a running"]),
    probes: ["a liveness"],
    want: "kill:a(Container a failed liveness probe, will be restarted) start:a",
  },
  {
    name: "liveness failed, Never",
    spec: { restartPolicy: "Never" },
    runtime: runtimeOf(["a running"]),
    probes: ["a liveness"],
    want: "kill kill:a(Container a failed liveness probe)",
  },
  {
    name: "startup failed",
    runtime: runtimeOf(["a running"]),
    probes: ["a startup"],
    want: "kill:a(Container a failed startup probe, will be restarted) start:a",
  },
  {
    name: "another image",
    spec: { containers: [containerOf("a", { image: "a:2" })], restartPolicy: "Never" },
    runtime: runtimeOf(["a running"]),
    want: "kill:a(Container a definition changed, will be restarted) start:a",
  },
  {
    name: "an init container runs",
    spec: { initContainers: [containerOf("i")] },
    runtime: runtimeOf(["i running"]),
    want: "",
  },
  {
    name: "an init container is done",
    spec: { initContainers: [containerOf("i"), containerOf("j")] },
    runtime: runtimeOf(["i exited"]),
    want: "init:j",
  },
  {
    name: "the last init container is done",
    spec: { initContainers: [containerOf("i")] },
    runtime: runtimeOf(["i exited"]),
    want: "start:a",
  },
  {
    name: "an init container failed",
    spec: { initContainers: [containerOf("i")] },
    runtime: runtimeOf(["i exited 1"]),
    want: "init:i",
  },
  {
    name: "an init container failed, Never",
    spec: { initContainers: [containerOf("i")], restartPolicy: "Never" },
    runtime: runtimeOf(["i exited 1"]),
    want: "kill",
  },
  {
    name: "init containers are gone from the runtime",
    spec: { initContainers: [containerOf("i")] },
    runtime: runtimeOf(["a running"]),
    want: "",
  },
  {
    name: "the first init container is gone from the runtime",
    spec: { initContainers: [containerOf("i"), containerOf("j")] },
    runtime: runtimeOf(["j running"]),
    want: "",
  },
  {
    name: "a sidecar has started",
    spec: { initContainers: [side, containerOf("j")] },
    runtime: runtimeOf(["side running"]),
    want: "init:j",
  },
  {
    name: "a sidecar has not started yet",
    spec: { initContainers: [{ ...side, startupProbe: probed }, containerOf("j")] },
    runtime: runtimeOf(["side running"]),
    want: "",
  },
  {
    name: "a sidecar's startup succeeded",
    spec: { initContainers: [{ ...side, startupProbe: probed }] },
    runtime: runtimeOf(["side running"]),
    probes: ["+side startup"],
    want: "start:a",
  },
  {
    name: "a sidecar ended during init",
    spec: { initContainers: [side, containerOf("j")] },
    runtime: runtimeOf(["j running", "side exited 1"]),
    want: "init:side",
  },
  {
    name: "a sidecar ended beside the main ones",
    spec: { initContainers: [side] },
    runtime: runtimeOf(["a running", "side exited"]),
    want: "init:side",
  },
  {
    name: "a sidecar fails its liveness probe",
    spec: { initContainers: [side] },
    runtime: runtimeOf(["a running", "side running"]),
    probes: ["side liveness"],
    want: "kill:side(Init container side failed liveness probe) init:side",
  },
  {
    name: "a sidecar does not keep a finished pod alive",
    spec: { initContainers: [side], restartPolicy: "Never" },
    runtime: runtimeOf(["a exited", "side exited"]),
    want: "kill",
  },
  {
    name: "an ephemeral container",
    spec: { ephemeralContainers: [{ name: "e", image: "e:1" }] },
    runtime: runtimeOf(["a running"]),
    want: "ephemeral:e",
  },
  {
    name: "an ephemeral container has ended",
    spec: { ephemeralContainers: [{ name: "e", image: "e:1" }] },
    runtime: runtimeOf(["a running", "e exited"]),
    want: "",
  },
  {
    name: "a container's own restart policy",
    spec: {
      restartPolicy: "Always",
      containers: [containerOf("a", { restartPolicy: "Never" }), containerOf("b")],
    },
    runtime: runtimeOf(["a exited 1", "b exited"]),
    want: "start:b",
  },
  {
    name: "a restart rule for an exit code",
    spec: {
      restartPolicy: "Never",
      containers: [
        containerOf("a", {
          restartPolicy: "Never",
          restartPolicyRules: [{ action: "Restart", exitCodes: { operator: "In", values: [42] } }],
        }),
      ],
    },
    runtime: runtimeOf(["a exited 42"]),
    want: "start:a",
  },
]

for (const { name, spec = {}, runtime, probes = [], want } of cases) {
  test(`planPod: ${name}`, () => {
    const probe: ProbeResult = (container, _, type) =>
      probes.includes(`${container} ${type}`)
        ? false
        : probes.includes(`+${container} ${type}`)
          ? true
          : undefined
    const { killPod, createSandbox, attempt, kill, startEphemeral, startInit, start } = planPod(
      podWith(spec),
      runtime,
      probe,
    )
    const names = (label: string, list: readonly Readonly<Container>[]): string[] =>
      list.length > 0 ? [`${label}:${list.map((one) => one.name).join(",")}`] : []
    const done = [
      ...(killPod ? ["kill"] : []),
      ...(createSandbox ? [`sandbox#${attempt}`] : []),
      ...kill.map(({ container, message }) => `kill:${container.name}(${message})`),
      ...names("ephemeral", startEphemeral),
      ...names("init", startInit),
      ...names("start", start),
    ]
    assert.equal(done.join(" "), want)
  })
}
