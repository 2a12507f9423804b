/** The kinds whose collections are asked, and five objects in each. */
import { post, type Step, namespaceSteps, quiet } from "../../script.ts"

export interface Collection {
  readonly name: string
  readonly path: string
  readonly namespace: string
  readonly body: Record<string, unknown>
}

const podTemplate = {
  metadata: { labels: { app: "a" } },
  spec: { containers: [{ name: "c", image: "nginx" }] },
}
export const collections: readonly Collection[] = (
  [
    ["configmaps", "/api/v1", { data: { a: "b" } }],
    ["secrets", "/api/v1", { data: { a: "Yg==" } }],
    ["pods", "/api/v1", podTemplate],
    ["services", "/api/v1", { spec: { ports: [{ port: 80 }] } }],
    [
      "deployments",
      "/apis/apps/v1",
      { spec: { selector: { matchLabels: { app: "a" } }, template: podTemplate } },
    ],
    ["leases", "/apis/coordination.k8s.io/v1", { spec: { holderIdentity: "me" } }],
  ] as const
).map(([name, root, body]) => {
  const namespace = `verbs-${name}`
  return { name, namespace, path: `${root}/namespaces/${namespace}/${name}`, body }
})

export const named = (
  one: Collection,
  suffix: string,
  index: string,
  labels: Record<string, string>,
): Record<string, unknown> => ({
  ...one.body,
  metadata: { name: `${index}-${suffix}`, labels },
})

/** Five objects; the versions of the first and the last are remembered. */
export function objects(one: Collection, suffix: string): Step[] {
  return [
    ...namespaceSteps(`${one.namespace}-${suffix}`),
    ...["a", "b", "c", "d", "e"].map((index, i) => ({
      ...quiet(
        post(
          `object ${index}`,
          inNamespace(one, suffix),
          named(one, suffix, index, { n: String(i), even: String(i % 2 === 0) }),
        ),
      ),
      save: { [`rv${index}`]: "metadata.resourceVersion" },
    })),
  ]
}

export function inNamespace(one: Collection, suffix: string): string {
  return one.path.replace(`/${one.namespace}/`, `/${one.namespace}-${suffix}/`)
}

export const metadataHeaders2 = {
  accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
}
