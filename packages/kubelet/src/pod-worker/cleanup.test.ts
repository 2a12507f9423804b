import assert from "node:assert/strict"
import { test } from "node:test"
import type { Pod } from "@knarr/api"
import { expendable } from "./cleanup.ts"
import type { RuntimeContainer, RuntimePod } from "./runtime-pod.ts"

/** `app running`, `app exited 1`; the newest first. */
function runtimeOf(texts: readonly string[]): RuntimePod {
  const containers = texts.map((text, i) => {
    const [name, state, exitCode = "0"] = text.split(" ")
    return { id: String(i), name, state, exitCode: Number(exitCode) } as unknown as RuntimeContainer
  })
  return { uid: "u", name: "p", namespace: "d", sandboxes: [], containers }
}

test("Dead containers that nobody needs are all of an ended pod, and of a living one what comes again anyway", () => {
  const cases: readonly (readonly [string, Partial<Pod["spec"]>, readonly string[], boolean, string])[] = [
    ["what runs stays", {}, ["app running"], false, ""],
    ["what may run stays", {}, ["app unknown", "app created"], true, ""],
    ["the one before the last", {}, ["app running", "app exited 1"], false, "1"],
    ["a crash looper's last", {}, ["app exited 1", "app exited 1"], false, "0 1"],
    ["a last one that is not started again", { restartPolicy: "Never" }, ["app exited 1"], false, ""],
    ["a last one that succeeded", { restartPolicy: "OnFailure" }, ["app exited 0"], false, ""],
    ["a last one that failed", { restartPolicy: "OnFailure" }, ["app exited 3"], false, "0"],
    ["an init container's last says that it was done", {}, ["app running", "init exited 0"], false, ""],
    ["everything of an ended pod", {}, ["app exited 1", "init exited 0", "app exited 1"], true, "0 1 2"],
  ]
  for (const [name, spec, containers, ended, want] of cases) {
    const pod = {
      spec: {
        restartPolicy: "Always",
        containers: [{ name: "app" }],
        initContainers: [{ name: "init" }],
        ...spec,
      },
    } as unknown as Pod
    const ids = expendable(pod, runtimeOf(containers), ended).map(({ id }) => id)
    assert.equal(ids.join(" "), want, name)
  }
})
