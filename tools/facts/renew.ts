/**
 * `npm run facts -- KUBECONFIG [MODULE_DIR…]`: renews facts/ from a running Kubernetes API server of the release
 * that we target, freshly started, and, when their folders are given, from the published Go modules
 * (k8s.io/api, apimachinery, apiextensions-apiserver, kube-aggregator, metrics: messages; cri-api: calls).
 * Afterwards `npm run gen`, and read the difference.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { createTransport, loadKubeconfig, resolveContext, type Transport } from "@knarr/client"
import { columnTextReader } from "./column-texts.ts"
import { parseProto } from "./proto.ts"

const root = join(import.meta.dirname, "../..")
const [kubeconfig, ...modules] = process.argv.slice(2)
if (!kubeconfig || !existsSync(kubeconfig))
  throw new Error("usage: npm run facts -- KUBECONFIG [MODULE_DIR…]")

using transport = createTransport(resolveContext(await loadKubeconfig([kubeconfig])).transport)
const version = (await get<{ gitVersion: string }>(transport, "/version")).gitVersion.replace(/^v/, "")
write("definitions-v3.json", { kubernetes: version, schemas: await definitions() })
const discovery = await aggregatedDiscovery()
write("discovery.json", discovery)
write("tables.json", {
  kubernetes: version,
  columns: "name, type, format, priority, text",
  resources: await tables(),
})
write("bootstrap-objects.json", { kubernetes: version, objects: await bootstrapObjects() })
if (modules.length > 0) {
  write("protobuf.json", { kubernetes: version, packages: messagesOf(modules) })
  const cri = modules.find((module) => basename(module).startsWith("cri-api@"))
  if (cri) {
    const known = JSON.parse(readFileSync(join(root, "facts/rpc.json"), "utf8")) as Record<string, unknown>
    const { services, messages, enums } = parseProto(
      readFileSync(join(cri, "pkg/apis/runtime/v1/api.proto"), "utf8"),
    )
    write("rpc.json", { ...known, "runtime.v1": { services, messages, enums } })
  }
}

/** The schemas of every group, without texts. */
async function definitions(): Promise<Record<string, unknown>> {
  const { paths } = await get<{ paths: Record<string, { serverRelativeURL: string }> }>(
    transport,
    "/openapi/v3",
  )
  const all: Record<string, unknown> = {}
  for (const { serverRelativeURL } of Object.values(paths)) {
    const document = await get<{ components?: { schemas?: Record<string, unknown> } }>(
      transport,
      serverRelativeURL,
    )
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {}))
      if (name.startsWith("io.k8s.")) all[name] = withoutTexts(schema)
  }
  return sorted(all)
}

function withoutTexts(value: unknown, isProperties = false): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutTexts(item))
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).filter(
    ([key, item]) => isProperties || key !== "description" || typeof item !== "string",
  )
  return sorted(
    Object.fromEntries(entries.map(([key, item]) => [key, withoutTexts(item, key === "properties")])),
  )
}

async function aggregatedDiscovery(): Promise<{ items: DiscoveryGroup[] }> {
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
  const [core, groups] = await Promise.all(
    ["/api", "/apis"].map((path) => get<{ items: DiscoveryGroup[] }>(transport, path, accept)),
  )
  return { ...groups!, items: [...groups!.items, ...core!.items] }
}

interface DiscoveryGroup {
  readonly metadata: { readonly name?: string }
  readonly versions: readonly {
    readonly version: string
    readonly resources: readonly { readonly resource: string; readonly verbs: readonly string[] }[]
  }[]
}

async function tables(): Promise<Record<string, unknown>> {
  const textOf = columnTextReader()
  const all: Record<string, unknown> = {}
  for (const group of discovery.items) {
    for (const { version: v, resources } of group.versions) {
      const base = group.metadata.name ? `/apis/${group.metadata.name}/${v}` : `/api/${v}`
      for (const { resource, verbs } of resources) {
        if (!verbs.includes("list")) continue
        const table = await get<{
          columnDefinitions: {
            name: string
            type: string
            format: string
            priority: number
            description: string
          }[]
        }>(transport, `${base}/${resource}?limit=1`, "application/json;as=Table;v=v1;g=meta.k8s.io")
        all[`${base.replace(/^\/apis?\//, "")}/${resource}`] = table.columnDefinitions.map((c) => [
          c.name,
          c.type,
          c.format,
          c.priority,
          textOf(c.description),
        ])
      }
    }
  }
  return sorted(all)
}

/** What a cluster begins with, without what differs from one to the next. */
async function bootstrapObjects(): Promise<Record<string, unknown>> {
  const known = (
    JSON.parse(readFileSync(join(root, "facts/bootstrap-objects.json"), "utf8")) as {
      objects: Record<string, { apiVersion: string }[]>
    }
  ).objects
  const all: Record<string, unknown> = {}
  for (const [resource, before] of Object.entries(known)) {
    const apiVersion = before[0]?.apiVersion ?? "v1"
    const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const { items, kind } = await get<{ kind: string; items: Record<string, any>[] }>(
      transport,
      `${base}/${resource}`,
    )
    all[resource] = items.map((item) => {
      const { name, namespace, labels, annotations } = item["metadata"] as Record<string, unknown>
      return sorted({
        ...item,
        apiVersion,
        kind: kind.replace(/List$/, ""),
        metadata: JSON.parse(JSON.stringify({ name, namespace, labels, annotations })),
      })
    })
  }
  return all
}

function messagesOf(dirs: readonly string[]): Record<string, unknown> {
  const all: Record<string, unknown> = {}
  for (const dir of dirs) {
    for (const file of globSync("**/generated.proto", { cwd: dir })) {
      const { packageName, messages } = parseProto(readFileSync(join(dir, file), "utf8"))
      all[packageName] = messages
    }
  }
  return sorted(all)
}

async function get<T>(from: Transport, path: string, accept = "application/json"): Promise<T> {
  const response = await from.request({ method: "GET", path, headers: { accept } })
  const text = (await response.buffer()).toString("utf8")
  if (response.status !== 200)
    throw new Error(`Cannot read ${path}: ${response.status} ${text.slice(0, 200)}`)
  return JSON.parse(text) as T
}

function sorted<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) as T
}

function write(name: string, value: unknown): void {
  writeFileSync(join(root, "facts", name), JSON.stringify(value) + "\n")
  process.stdout.write(`facts/${name}\n`)
}
