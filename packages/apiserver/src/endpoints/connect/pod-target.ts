/** Which container of which pod on which node a request means. Mirrors: pkg/registry/core/pod/strategy.go */
import { pod } from "@knarr/api"
import type { Pod } from "@knarr/api"
import { badRequest, notFound } from "@knarr/apimachinery"
import type { Registry } from "../../registry/registry.ts"

/** The pod. Throws 404. */
export function requirePod(registry: Registry, namespace: string, name: string): Readonly<Pod> {
  const found = registry.get(pod, { namespace, name })
  if (!found) throw notFound({ group: "", resource: "pods" }, name)
  return found
}

/** The container that is named, or the only one. Throws 400. */
export function requireContainer(target: Readonly<Pod>, name: string): string {
  const { containers, initContainers, ephemeralContainers } = target.spec
  if (name === "") {
    if (containers.length === 1) return containers[0]!.name
    const names = (list: readonly { name: string }[]): string => list.map((c) => c.name).join(" ")
    let text = `a container name must be specified for pod ${target.metadata.name}`
    if (containers.length > 1) text += `, choose one of: [${names(containers)}]`
    if (containers.length > 1 && initContainers && initContainers.length > 0)
      text += ` or one of the init containers: [${names(initContainers)}]`
    throw badRequest(text)
  }
  const all = [...containers, ...(initContainers ?? []), ...(ephemeralContainers ?? [])]
  if (!all.some((c) => c.name === name))
    throw badRequest(`container ${name} is not valid for pod ${target.metadata.name}`)
  return name
}

/** The node that runs the pod. Throws 400. */
export function requireHost(target: Readonly<Pod>): string {
  if (!target.spec.nodeName) throw badRequest(`pod ${target.metadata.name} does not have a host assigned`)
  return target.spec.nodeName
}

/** Go's reading of a boolean parameter: present and not "false" or "0". */
export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  return value !== null && value !== "false" && value !== "0"
}

/** The kubelet's path for exec and attach. */
export function streamPath(
  kind: "exec" | "attach",
  target: Readonly<Pod>,
  container: string,
  query: URLSearchParams,
): string {
  const params = new URLSearchParams()
  if (flag(query, "stdin")) params.append("input", "1")
  if (flag(query, "stdout")) params.append("output", "1")
  if (flag(query, "stderr")) params.append("error", "1")
  if (flag(query, "tty")) params.append("tty", "1")
  if (kind === "exec") for (const word of query.getAll("command")) params.append("command", word)
  const { namespace, name } = target.metadata
  return `/${kind}/${namespace}/${name}/${container}?${params.toString()}`
}
