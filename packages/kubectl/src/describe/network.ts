/** `describe ingress|ingressclass`. Mirrors: kubectl pkg/describe/describe.go */
import { isNotFound } from "@knarr/apimachinery"
import { at, type Obj } from "../object.ts"
import { endpointsText, slicesOf } from "./services.ts"
import { describeMeta, type DescribeContext } from "./writer.ts"

async function backendText(d: DescribeContext, namespace: string, backend: Obj | undefined): Promise<string> {
  const service = backend?.["service"] as Obj | undefined
  if (!service) {
    const resource = backend?.["resource"] as Obj | undefined
    if (!resource) return "<default>"
    return `APIGroup: ${resource["apiGroup"] ?? "<none>"}, Kind: ${resource["kind"]}, Name: ${resource["name"]}`
  }
  const port = service["port"] as Obj | undefined
  const name = service["name"] as string
  const title = `${name}:${port?.["number"] ?? port?.["name"] ?? ""}`
  let found: Obj
  try {
    found = await d.api.get(
      `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`,
    )
  } catch (thrown) {
    if (isNotFound(thrown)) return `${title} (<error: services ${JSON.stringify(name)} not found>)`
    return `${title} (<error: ${(thrown as Error).message}>)`
  }
  const match = ((at(found, "spec", "ports") ?? []) as Obj[]).find(
    (one) => one["port"] === port?.["number"] || (port?.["name"] && one["name"] === port["name"]),
  )
  return `${title} (${endpointsText(await slicesOf(d, found), (match?.["name"] ?? "") as string)})`
}

export async function describeIngress(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  const { metadata, spec = {}, status = {} } = obj as { metadata: Obj; spec?: Obj; status?: Obj }
  const namespace = metadata["namespace"] as string
  w.row(0, "Name", metadata["name"])
  w.labels("Labels", metadata["labels"])
  w.row(0, "Namespace", namespace)
  const ingress = (at(status, "loadBalancer", "ingress") ?? []) as Obj[]
  w.row(0, "Address", ingress.map((one) => (one["ip"] ?? one["hostname"]) as string).join(","))
  w.row(
    0,
    "Ingress Class",
    spec["ingressClassName"] ?? metadata["annotations"]?.["kubernetes.io/ingress.class"] ?? "<none>",
  )
  w.row(0, "Default backend", await backendText(d, namespace, spec["defaultBackend"] as Obj | undefined))
  if (spec["tls"]?.length) {
    w.line(0, "TLS:")
    for (const one of spec["tls"] as Obj[]) {
      const hosts = ((one["hosts"] ?? []) as string[]).join(",")
      w.line(1, one["secretName"] ? `${one["secretName"]} terminates ${hosts}` : `SNI routes ${hosts}`)
    }
  }
  w.write(0, "Rules:\n  Host\tPath\tBackends\n")
  w.line(1, "----\t----\t--------")
  let count = 0
  for (const rule of (spec["rules"] ?? []) as Obj[]) {
    const paths = at(rule, "http", "paths") as Obj[] | undefined
    if (!paths) continue
    count++
    w.line(1, `${rule["host"] || "*"}\t`)
    for (const path of paths)
      w.line(2, `\t${path["path"] ?? ""} \t${await backendText(d, namespace, path["backend"] as Obj)}`)
  }
  if (count === 0)
    w.line(1, `*\t* \t${await backendText(d, namespace, spec["defaultBackend"] as Obj | undefined)}`)
  w.annotations("Annotations", metadata["annotations"])
  await d.events(obj)
}

export async function describeIngressClass(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  describeMeta(d, obj, false)
  w.row(0, "Controller", at(obj, "spec", "controller"))
  const parameters = at(obj, "spec", "parameters") as Obj | undefined
  if (parameters) {
    w.line(0, "Parameters:")
    if (parameters["apiGroup"]) w.row(1, "APIGroup", parameters["apiGroup"])
    w.row(1, "Kind", parameters["kind"])
    w.row(1, "Name", parameters["name"])
  }
  await d.events(obj)
}
