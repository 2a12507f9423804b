import assert from "node:assert/strict"
import { test } from "node:test"
import { Meter, VirtualClock, seededRandom, silentLogger } from "@knarr/base"
import { meterRuntime } from "./metered-runtime.ts"
import { SimulatedHost } from "./simulated-host.ts"
import { createSimulatedRuntime } from "./simulated-runtime.ts"

test("the calls to a runtime are counted under the names that the kubelet gives them, failures too", async () => {
  const meter = new Meter()
  const env = { clock: new VirtualClock(), random: seededRandom(1), log: silentLogger, meter }
  const runtime = meterRuntime(createSimulatedRuntime(new SimulatedHost({ env })), env)
  const { signal } = new AbortController()
  await runtime.listPodSandbox({}, { signal })
  await assert.rejects(runtime.containerStatus({ containerId: "absent" }, { signal }))
  const text = meter.text()
  for (const line of [
    'operations_total{operation_type="list_podsandbox"} 1',
    'operations_total{operation_type="container_status"} 1',
    'operations_errors_total{operation_type="container_status"} 1',
    'operations_duration_seconds_count{operation_type="list_podsandbox"} 1',
  ])
    assert.ok(text.includes(`\nkubelet_runtime_${line}\n`), line)
  assert.ok(!text.includes('errors_total{operation_type="list_podsandbox"}'))
})
