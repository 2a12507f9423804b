/**
 * The environment of a container.
 * Mirrors: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables)
 */
import type { Container, EnvVarSource, Pod } from "@knarr/api"
import { isRelaxedEnvVarName } from "@knarr/apimachinery"
import type { ObjectReader } from "../contract.ts"
import { fieldValue, resourceValue, type DownwardContext } from "./downward.ts"
import { expand } from "./expansion.ts"
import { serviceEnv } from "./service-env.ts"

export interface EnvOptions {
  readonly objects: ObjectReader
  readonly context: DownwardContext
  /** Reads `file` under the volume for `fileKeyRef`; undefined when it is not there. */
  readFile(volume: string, path: string): Promise<string | undefined>
  readonly signal: AbortSignal
}

/**
 * Name → value, in the order in which they were first named. Throws with the message of
 * `CreateContainerConfigError` when something that must be there is not.
 */
export async function containerEnv(
  pod: Readonly<Pod>,
  container: Readonly<Container>,
  options: EnvOptions,
): Promise<ReadonlyMap<string, string>> {
  const { objects } = options
  const namespace = pod.metadata.namespace!
  const out = new Map<string, string>()
  await addEnvFrom(out, namespace, container, options)

  const services = serviceVariables(namespace, pod.spec.enableServiceLinks !== false, objects)
  const explicit = new Map<string, string>()
  const lookup = (name: string): string | undefined =>
    explicit.get(name) ?? out.get(name) ?? services.get(name)
  for (const { name, value, valueFrom } of container.env ?? []) {
    const text = value
      ? expand(value, lookup)
      : valueFrom
        ? await resolve(pod, container, valueFrom, options)
        : ""
    if (text === undefined) continue
    explicit.set(name, text)
    out.set(name, text)
  }
  // What the pod says itself comes before the services' variables.
  for (const [name, value] of services) if (!out.has(name)) out.set(name, value)
  return out
}

async function addEnvFrom(
  out: Map<string, string>,
  namespace: string,
  container: Readonly<Container>,
  { objects, signal }: EnvOptions,
): Promise<void> {
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef) {
      const name = configMapRef.name ?? ""
      const found = await objects.configMap(namespace, name, signal)
      if (!found && !configMapRef.optional) throw new Error(`configmap "${name}" not found`)
      for (const [key, value] of Object.entries(found?.data ?? {}))
        if (isUsable(prefix + key)) out.set(prefix + key, value)
    }
    if (secretRef) {
      const name = secretRef.name ?? ""
      const found = await objects.secret(namespace, name, signal)
      if (!found && !secretRef.optional) throw new Error(`secret "${name}" not found`)
      for (const [key, value] of Object.entries(found?.data ?? {}))
        if (isUsable(prefix + key)) out.set(prefix + key, Buffer.from(value, "base64").toString("utf8"))
    }
  }
}

function isUsable(name: string): boolean {
  return isRelaxedEnvVarName(name).length === 0
}

async function resolve(
  pod: Readonly<Pod>,
  container: Readonly<Container>,
  source: EnvVarSource,
  options: EnvOptions,
): Promise<string | undefined> {
  const { objects, context, signal } = options
  const namespace = pod.metadata.namespace!
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source
  if (fieldRef) return fieldValue(pod, fieldRef.fieldPath, context)
  if (resourceFieldRef) {
    const { containerName, resource, divisor } = resourceFieldRef
    const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
    const of = containerName ? all.find(({ name }) => name === containerName) : container
    if (!of) throw new Error(`container "${containerName}" not found`)
    return resourceValue(of, resource, divisor, context)
  }
  if (configMapKeyRef) {
    const { name = "", key, optional } = configMapKeyRef
    const found = await objects.configMap(namespace, name, signal)
    if (!found && !optional) throw new Error(`configmap "${name}" not found`)
    const value = found?.data?.[key]
    if (value === undefined && found && !optional)
      throw new Error(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`)
    return value
  }
  if (secretKeyRef) {
    const { name = "", key, optional } = secretKeyRef
    const found = await objects.secret(namespace, name, signal)
    if (!found && !optional) throw new Error(`secret "${name}" not found`)
    const value = found?.data?.[key]
    if (value === undefined && found && !optional)
      throw new Error(`couldn't find key ${key} in Secret ${namespace}/${name}`)
    return value === undefined ? undefined : Buffer.from(value, "base64").toString("utf8")
  }
  if (fileKeyRef) {
    const { volumeName, path, key, optional } = fileKeyRef
    const text = await options.readFile(volumeName, path)
    if (text === undefined && !optional)
      throw new Error(`env file "${path}" not found in volume "${volumeName}"`)
    const value = parseEnvFile(text ?? "").get(key)
    if (value === undefined && !optional)
      throw new Error(`environment variable key "${key}" not found in file "${path}"`)
    return value
  }
  return ""
}

/** `KEY='value'` lines; values may stand in single quotes, and span lines within them. */
function parseEnvFile(text: string): Map<string, string> {
  const out = new Map<string, string>()
  for (const match of text.matchAll(/^[ \t]*([^=#\s][^=\n]*)=(?:'([^']*)'|([^\n]*))/gm))
    out.set(match[1]!.trim(), match[2] ?? match[3]!.trim())
  return out
}

/** Those of `kubernetes` always, the namespace's own when the pod wants links. */
function serviceVariables(namespace: string, links: boolean, objects: ObjectReader): Map<string, string> {
  const chosen = new Map<string, ReturnType<ObjectReader["services"]>[number]>()
  for (const service of objects.services("default"))
    if (service.metadata.name === "kubernetes") chosen.set("kubernetes", service)
  if (links) for (const service of objects.services(namespace)) chosen.set(service.metadata.name, service)
  return new Map(serviceEnv([...chosen.values()]))
}
