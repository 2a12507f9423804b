import assert from "node:assert/strict"
import { test } from "node:test"
import type { Container, ContainerState, ContainerStatus, Pod } from "@knarr/api"
import { podPhase } from "./pod-status.ts"

const states: Readonly<Record<string, Pick<ContainerStatus, "state" | "lastState" | "started">>> = {
  running: { state: { running: {} }, started: true },
  starting: { state: { running: {} }, started: false },
  waiting: { state: { waiting: { reason: "ContainerCreating" } } },
  ok: { state: { terminated: { exitCode: 0 } } },
  failed: { state: { terminated: { exitCode: 1 } } },
  crashed: {
    state: { waiting: { reason: "CrashLoopBackOff" } },
    lastState: { terminated: { exitCode: 1 } } as ContainerState,
  },
}

const cases: readonly (readonly [
  policy: string,
  init: string,
  main: string,
  phase: string,
  ended?: boolean,
])[] = [
  ["Always", "", "waiting", "Pending"],
  ["Always", "", "running", "Running"],
  ["Always", "", "running waiting", "Pending"],
  ["Always", "", "running crashed", "Running"],
  ["Always", "", "crashed", "Running"],
  ["Always", "", "ok", "Running"],
  ["Always", "", "ok", "Succeeded", true],
  ["Always", "", "ok failed", "Failed", true],
  ["OnFailure", "", "ok", "Succeeded"],
  ["OnFailure", "", "ok failed", "Running"],
  ["OnFailure", "", "ok running", "Running"],
  ["Never", "", "ok failed", "Failed"],
  ["Never", "", "ok", "Succeeded"],
  ["Never", "failed", "waiting", "Failed"],
  ["Always", "failed", "waiting", "Pending"],
  ["Always", "running", "waiting", "Pending"],
  ["Always", "ok waiting", "waiting", "Pending"],
  ["Always", "ok", "running", "Running"],
  ["Always", "side:starting", "waiting", "Pending"],
  ["Always", "side:running", "running", "Running"],
  ["Never", "side:running", "ok", "Running"],
  ["Never", "side:ok", "ok", "Succeeded"],
]

for (const [policy, init, main, phase, ended = false] of cases) {
  test(`podPhase: ${policy}, init [${init}], main [${main}]${ended ? ", ended" : ""}: ${phase}`, () => {
    const statusesOf = (text: string): [Container[], ContainerStatus[]] => {
      const containers: Container[] = []
      const statuses: ContainerStatus[] = []
      for (const [i, word] of text.split(" ").filter(Boolean).entries()) {
        const isSidecar = word.startsWith("side:")
        const name = `c${i}`
        containers.push({ name, ...(isSidecar ? { restartPolicy: "Always" } : {}) })
        statuses.push({
          name,
          image: "",
          imageID: "",
          ready: false,
          restartCount: 0,
          ...states[word.replace("side:", "")],
        })
      }
      return [containers, statuses]
    }
    const [initContainers, initStatuses] = statusesOf(init)
    const [containers, statuses] = statusesOf(main)
    const pod = {
      metadata: {},
      spec: { restartPolicy: policy, initContainers, containers },
      status: {},
    } as unknown as Pod
    const initialized = main !== "waiting"
    assert.equal(podPhase(pod, initStatuses, statuses, ended, initialized), phase)
  })
}
