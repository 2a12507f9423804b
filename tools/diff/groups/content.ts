/** What answers and bodies may be in: every form that can be asked for, of what is built in, custom, discovered and refused. */
import { get, namespaceSteps, post, quiet, remove, type Script, type Step } from "../script.ts"
import { definition, served, version } from "./custom/definition.ts"

const protobuf = "application/vnd.kubernetes.protobuf"
const as = (kind: string, v = "v1", g = "meta.k8s.io"): string => `;as=${kind};v=${v};g=${g}`
const discovery = as("APIGroupDiscoveryList", "v2", "apidiscovery.k8s.io")

const accepts: readonly string[] = [
  "application/json",
  "application/yaml",
  protobuf,
  ...["json", "yaml", "vnd.kubernetes.protobuf"].flatMap((type) =>
    [
      as("Table"),
      as("PartialObjectMetadata"),
      as("PartialObjectMetadataList"),
      as("PartialObjectMetadata", "v1beta1"),
    ].map((form) => `application/${type}${form}`),
  ),
  `${protobuf}${as("Table")},application/json`,
  `${protobuf}${as("Table")},${protobuf}`,
  `${protobuf}${as("Table")},application/json${as("Table")}`,
  `${protobuf},application/json`,
  `application/json,${protobuf}`,
  `application/json;q=0.1,${protobuf};q=0.2`,
  `${protobuf};q=0,application/json`,
  `${protobuf};q=0`,
  "application/json;q=0",
  "application/json;q=x",
  `application/*,${protobuf}`,
  `*/*,${protobuf}`,
  `*/*;q=0.9,${protobuf};q=0.1`,
  `text/html,${protobuf}`,
  `${protobuf};stream=watch`,
  `${protobuf};stream=other`,
  "application/yaml;stream=watch",
  `${protobuf};charset=utf-8`,
  `${protobuf};pretty=1`,
  `${protobuf};v=v1`,
  `${protobuf};g=meta.k8s.io`,
  `${protobuf};as=`,
  `${protobuf}${as("Bogus")}`,
  protobuf.toUpperCase(),
  "application/cbor",
  `application/cbor;q=0.9,${protobuf};q=0.5`,
  "application/cbor,application/json",
  "application/cbor-seq",
  "application/*",
  "*/*",
  "*",
  "application",
  "",
]

const contentTypes: readonly string[] = [
  "application/json",
  "application/json;charset=utf-8",
  "application/json;",
  "APPLICATION/JSON",
  "application/yaml",
  "application/x-yaml",
  "text/yaml",
  "application/cbor",
  "application/apply-patch+cbor",
  "application/*",
  "*/*",
  "text/plain",
  "bogus",
]

const group = "forms.example.com"
const form = definition(group, "forms", "Form", [
  version(
    "v1",
    { spec: { type: "object", properties: { replicas: { type: "integer" } } } },
    {
      subresources: {
        status: {},
        scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
      },
    },
  ),
])

interface Place {
  readonly name: string
  readonly steps: readonly Step[]
  readonly path: string
  readonly object: (name: string) => Record<string, unknown>
}

const places: readonly Place[] = [
  {
    name: "configmaps",
    steps: namespaceSteps("content-configmaps"),
    path: "/api/v1/namespaces/content-configmaps/configmaps",
    object: (name) => ({ metadata: { name, labels: { n: "1" } }, data: { a: "b" } }),
  },
  {
    name: "deployments",
    steps: namespaceSteps("content-deployments"),
    path: "/apis/apps/v1/namespaces/content-deployments/deployments",
    object: (name) => ({
      metadata: { name, labels: { n: "1" } },
      spec: {
        selector: { matchLabels: { app: "a" } },
        template: {
          metadata: { labels: { app: "a" } },
          spec: { containers: [{ name: "c", image: "nginx" }] },
        },
      },
    }),
  },
  {
    name: "custom",
    steps: served("content-custom", form),
    path: `/apis/${group}/v1/namespaces/content-custom/forms`,
    object: (name) => ({
      apiVersion: `${group}/v1`,
      kind: "Form",
      metadata: { name, labels: { n: "1" } },
      spec: { replicas: 2 },
    }),
  },
]

function placeScript({ name, steps, path, object }: Place): Script {
  const scaled = name !== "configmaps"
  return {
    group: "content",
    name,
    steps: [
      ...steps,
      quiet(post("object", path, object("one"))),
      ...accepts.flatMap((accept): Step[] => [
        get(`get as ${accept}`, `${path}/one`, { accept }),
        get(`list as ${accept}`, `${path}?labelSelector=n`, { accept }),
        get(`nothing as ${accept}`, `${path}/nothing`, { accept }),
        get(`no list as ${accept}`, `${path}?labelSelector=n=2`, { accept }),
        ...(scaled ? [get(`scale as ${accept}`, `${path}/one/scale`, { accept })] : []),
        {
          ...post(`create as ${accept}`, `${path}?dryRun=All`, object("new")),
          headers: { accept, "content-type": "application/json" },
        },
        { ...remove(`delete as ${accept}`, `${path}/one?dryRun=All`), headers: { accept } },
      ]),
      ...contentTypes.flatMap((type): Step[] => {
        const headers = { "content-type": type }
        return [
          post(`create from ${type}`, `${path}?dryRun=All`, object("new"), headers),
          {
            name: `put from ${type}`,
            method: "PUT",
            path: `${path}/one?dryRun=All`,
            headers,
            body: object("one"),
          },
          { name: `patch from ${type}`, method: "PATCH", path: `${path}/one?dryRun=All`, headers, body: {} },
          {
            name: `delete from ${type}`,
            method: "DELETE",
            path: `${path}/one`,
            headers,
            body: { kind: "DeleteOptions", apiVersion: "v1", dryRun: ["All"] },
          },
        ]
      }),
      quiet(remove("clean up", `${path}/one`)),
    ],
  }
}

/** Not what all groups are in, those of other scripts too. */
const documents = [
  "/api",
  "/api/v1",
  "/apis/apps",
  "/apis/apps/v1",
  "/version",
  "/api/v1/nothing",
  "/apis/none.example.com/v1",
]

/** YAML is compared as text, from which groups that other scripts define are not left out. */
const isComparable = (path: string, accept: string): boolean => path !== "/apis" || !accept.includes("yaml")

const documentAccepts = [
  "application/json",
  "application/yaml",
  protobuf,
  "application/cbor",
  `application/json${discovery}`,
  `application/yaml${discovery}`,
  `${protobuf}${discovery}`,
  `${protobuf}${discovery},application/json`,
  `${protobuf}${as("APIGroupDiscoveryList", "v2beta1", "apidiscovery.k8s.io")}`,
]

export function contentScripts(): Script[] {
  return [
    ...places.map(placeScript),
    {
      group: "content",
      name: "documents",
      steps: documents.flatMap((path) =>
        documentAccepts
          .filter((accept) => isComparable(path, accept))
          .map((accept) => get(`${path} as ${accept}`, path, { accept })),
      ),
    },
  ]
}
