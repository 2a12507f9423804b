import assert from "node:assert/strict"
import { test } from "node:test"
import { pod, serviceAccount } from "@knarr/api"
import { withTestPlane, refusalMessage } from "../testing.ts"

const env = (name: string): object => ({
  env: [{ name: "A", valueFrom: { secretKeyRef: { name, key: "k" } } }],
})
const envFrom = (name: string): object => ({ envFrom: [{ secretRef: { name } }] })
const container = { name: "c", image: "x" }
const initContainer = (source: object): object => ({
  initContainers: [{ ...container, name: "i", ...source }],
})
const containers = (source: object): object => ({ containers: [{ ...container, ...source }] })
const volume = (source: object): object => ({ volumes: [{ name: "v", ...source }] })
const because = "is not allowed because service account strict does not reference that"

/** What a pod of an account that lists `listed` and `pull` may name. */
const cases: [spec: object, refusal: string | undefined][] = [
  [{}, undefined],
  [volume({ secret: { secretName: "listed" } }), undefined],
  [volume({ secret: { secretName: "other" } }), `volume with secret.secretName="other" ${because} secret`],
  [containers(env("listed")), undefined],
  [
    containers(env("other")),
    `container c with envVar A referencing secret.secretName="other" ${because} secret`,
  ],
  [
    containers(envFrom("other")),
    `container c with envFrom referencing secret.secretName="other" ${because} secret`,
  ],
  [
    initContainer(env("other")),
    `init container i with envVar A referencing secret.secretName="other" ${because} secret`,
  ],
  [
    initContainer(envFrom("other")),
    `init container i with envFrom referencing secret.secretName="other" ${because} secret`,
  ],
  [{ imagePullSecrets: [{ name: "pull" }] }, undefined],
  [
    { imagePullSecrets: [{ name: "listed" }] },
    `imagePullSecrets[0].name="listed" ${because} imagePullSecret`,
  ],
]

test("pods of an account that enforces its secrets name no others, ephemeral containers neither", async () => {
  await withTestPlane(async (plane) => {
    const client = plane.client()
    for (const [name, value] of Object.entries({ strict: "true", lax: "false", odd: "yes" })) {
      await client.create(serviceAccount, {
        metadata: {
          namespace: "default",
          name,
          annotations: { "kubernetes.io/enforce-mountable-secrets": value },
        },
        secrets: [{ name: "listed" }],
        imagePullSecrets: [{ name: "pull" }],
      } as never)
    }
    const create = (name: string, account: string, spec: object): Promise<unknown> =>
      client.create(pod, {
        metadata: { namespace: "default", name },
        spec: { serviceAccountName: account, containers: [container], ...spec },
      } as never)
    for (const [i, [spec, refused]] of cases.entries()) {
      const expected = refused && `pods "strict-${i}" is forbidden: ${refused}`
      assert.equal(await refusalMessage(create(`strict-${i}`, "strict", spec)), expected)
      for (const account of ["lax", "odd"])
        assert.equal(await refusalMessage(create(`${account}-${i}`, account, spec)), undefined)
    }
    const debug = (name: string): Promise<unknown> =>
      client.patch(
        pod,
        { namespace: "default", name: "strict-0" },
        "strategic",
        { spec: { ephemeralContainers: [{ name: "e", image: "x", ...envFrom(name) }] } },
        { subresource: "ephemeralcontainers" },
      )
    assert.equal(
      await refusalMessage(debug("other")),
      `pods "strict-0" is forbidden: ephemeral container e with envFrom referencing secret.secretName="other" ${because} secret`,
    )
    assert.equal(await refusalMessage(debug("listed")), undefined)
  })
})
