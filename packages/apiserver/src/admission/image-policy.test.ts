import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { test, type TestContext } from "node:test"
import { pod } from "@knarr/api"
import { messageOf } from "@knarr/base"
import type { ControlPlane } from "../control-plane.ts"
import { startReviewer, type Reviewer } from "../outbound/testing.ts"
import { testEnv, withTestPlane } from "../testing.ts"
import { imagePolicyWebhook } from "./image-policy.admission.ts"

/** Runs with an API server that asks a program; `own` is more of its configuration. */
async function withPolicy(
  t: TestContext,
  own: object,
  run: (plane: ControlPlane, reviewer: Reviewer) => Promise<void>,
): Promise<void> {
  const reviewer = await startReviewer(t)
  const configFile = join(reviewer.dir, "admission.yaml")
  const imagePolicy = { kubeConfigFile: reviewer.configFile, retryBackoff: 1, ...own }
  writeFileSync(configFile, JSON.stringify({ imagePolicy }))
  const admission = { enable: ["ImagePolicyWebhook"], disable: ["ServiceAccount"], configFile }
  await withTestPlane((plane) => run(plane, reviewer), { env: testEnv, admission })
}

const create = (plane: ControlPlane, name: string, annotations = {}): Promise<string> =>
  plane
    .client()
    .create(pod, {
      metadata: { name, namespace: "default", annotations },
      spec: {
        containers: [{ name: "c", image: "main" }],
        initContainers: [{ name: "i", image: "first" }],
      },
    })
    .then(
      ({ metadata }) => JSON.stringify(metadata.annotations ?? {}),
      (thrown) => messageOf(thrown),
    )

test("a program says which images may run, and is asked again when its answer is old", async (t) => {
  await withPolicy(t, { allowTTL: -1 }, async (plane, reviewer) => {
    reviewer.answer = () => ({ allowed: false, reason: "no tag" })
    const refused = 'pods "a" is forbidden: image policy webhook backend denied one or more images: no tag'
    assert.equal(await create(plane, "a"), refused)
    reviewer.answer = () => ({ allowed: true })
    assert.equal(await create(plane, "a"), refused)
    assert.equal(reviewer.asked.length, 1)
    const broken = { "a.image-policy.k8s.io/break-glass": "yes", other: "x" }
    assert.equal(await create(plane, "b", broken), JSON.stringify(broken))
    assert.deepEqual(reviewer.asked.at(-1)?.["spec"], {
      containers: [{ image: "main" }, { image: "first" }],
      annotations: { "a.image-policy.k8s.io/break-glass": "yes" },
      namespace: "default",
    })
    await create(plane, "c", broken)
    assert.equal(reviewer.asked.length, 3)
    reviewer.answer = () => ({ allowed: false })
    assert.equal(
      await create(plane, "d", broken),
      'pods "d" is forbidden: one or more images rejected by webhook backend',
    )
  })
})

test("without an answer nothing runs, unless the operator says so", async (t) => {
  await withPolicy(t, {}, async (plane, reviewer) => {
    assert.match(await create(plane, "a"), /^pods "a" is forbidden: /)
    assert.equal(reviewer.asked.length, 5)
  })
  await withPolicy(t, { defaultAllow: true }, async (plane) => {
    assert.equal(await create(plane, "a"), '{"alpha.image-policy.k8s.io/failed-open":"true"}')
  })
})

test("what is wrong with the configuration is told", async () => {
  const prepare = (imagePolicy: object): Promise<unknown> =>
    imagePolicyWebhook.prepare!({ imagePolicy }, testEnv)
  for (const [own, message] of [
    [{ allowTTL: 3600 }, "valid value is between 1s and 30m0s, got 1h0m0s"],
    [{ denyTTL: -2 }, "valid value is between 1s and 30m0s, got -2s"],
    [{ retryBackoff: 600_000 }, "valid value is between 1ns and 5m0s, got 10m0s"],
  ] as const)
    await assert.rejects(prepare(own), { message })
})
