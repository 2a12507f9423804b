/** Containers in descriptions. Mirrors: kubectl pkg/describe/describe.go (DescribeContainers) */
import { parseQuantity } from "@knarr/apimachinery"
import { at, type Obj } from "../object.ts"
import { goSlice, rfc1123, titleBool, type DescribeWriter } from "./writer.ts"

export function describeContainers(
  w: DescribeWriter,
  title: string,
  containers: readonly Obj[] | undefined,
  statuses: readonly Obj[] | undefined,
  pod: Obj | undefined,
  space: string,
): void {
  const list = containers ?? []
  w.line(0, `${space}${title}:${list.length === 0 ? " <none>" : ""}`)
  for (const container of list) {
    const status = statuses?.find((one) => one["name"] === container["name"])
    basics(w, container, status, space)
    for (const [name, field] of [
      ["Command", "command"],
      ["Args", "args"],
    ] as const) {
      const words = container[field] as string[] | undefined
      if (!words?.length) continue
      w.line(2, `${name}:`)
      for (const word of words) for (const line of word.split("\n")) w.line(3, line)
    }
    if (status) {
      describeState(w, "State", status["state"] as Obj)
      if (at(status, "lastState", "terminated")) describeState(w, "Last State", status["lastState"] as Obj)
      w.row(2, "Ready", titleBool(status["ready"]))
      w.row(2, "Restart Count", status["restartCount"] ?? 0)
    }
    describeResources(w, container["resources"] as Obj, 2)
    for (const [name, field] of [
      ["Liveness", "livenessProbe"],
      ["Readiness", "readinessProbe"],
      ["Startup", "startupProbe"],
    ] as const) {
      if (container[field]) w.row(2, name, probeText(container[field] as Obj))
    }
    describeEnvFrom(w, container)
    describeEnv(w, container, pod)
    describeMounts(w, container)
  }
}

function basics(w: DescribeWriter, container: Obj, status: Obj | undefined, space: string): void {
  w.line(1, `${space ? " " : ""}${container["name"]}:`)
  if (status) w.row(2, "Container ID", status["containerID"] ?? "")
  w.row(2, "Image", container["image"] ?? "")
  if (status) w.row(2, "Image ID", status["imageID"] ?? "")
  const ports = (container["ports"] ?? []) as Obj[]
  const text = (field: string): string =>
    ports
      .map(
        (port) =>
          `${port[field] ?? 0}/${port["protocol"] ?? "TCP"}${port["name"] ? ` (${port["name"]})` : ""}`,
      )
      .join(", ")
  for (const [title, field] of [
    ["Port", "containerPort"],
    ["Host Port", "hostPort"],
  ] as const) {
    const shown = text(field)
    w.row(2, shown.includes(",") ? `${title}s` : title, shown || "<none>")
  }
  const profile = at(container, "securityContext", "seccompProfile") as Obj | undefined
  if (profile) describeSeccomp(w, 2, profile)
}

export function describeSeccomp(w: DescribeWriter, level: number, profile: Obj): void {
  w.row(level, "SeccompProfile", profile["type"])
  if (profile["type"] === "Localhost") w.row(level + 1, "LocalhostProfile", profile["localhostProfile"])
}

function describeState(w: DescribeWriter, title: string, state: Obj | undefined): void {
  const running = state?.["running"] as Obj | undefined
  const ended = state?.["terminated"] as Obj | undefined
  if (running) {
    w.row(2, title, "Running")
    w.row(3, "Started", rfc1123(running["startedAt"]))
  } else if (ended) {
    w.row(2, title, "Terminated")
    if (ended["reason"]) w.row(3, "Reason", ended["reason"])
    if (ended["message"]) w.row(3, "Message", ended["message"])
    w.row(3, "Exit Code", ended["exitCode"] ?? 0)
    if (ended["signal"]) w.row(3, "Signal", ended["signal"])
    w.row(3, "Started", rfc1123(ended["startedAt"]))
    w.row(3, "Finished", rfc1123(ended["finishedAt"]))
  } else {
    w.row(2, title, "Waiting")
    const reason = at(state, "waiting", "reason")
    if (reason) w.row(3, "Reason", reason)
  }
}

export function describeResources(w: DescribeWriter, resources: Obj | undefined, level: number): void {
  for (const [title, field] of [
    ["Limits", "limits"],
    ["Requests", "requests"],
  ] as const) {
    const list = resources?.[field] as Record<string, string> | undefined
    if (!list || Object.keys(list).length === 0) continue
    w.line(level, `${title}:`)
    for (const name of Object.keys(list).sort()) w.row(level + 1, name, list[name])
  }
}

function probeText(probe: Obj): string {
  const attributes = `delay=${probe["initialDelaySeconds"] ?? 0}s timeout=${probe["timeoutSeconds"] ?? 0}s period=${probe["periodSeconds"] ?? 0}s successThreshold=${probe["successThreshold"] ?? 0} failureThreshold=${probe["failureThreshold"] ?? 0}`
  const { exec, httpGet, tcpSocket, grpc } = probe as Record<string, Obj | undefined>
  if (exec) return `exec ${goSlice(exec["command"])} ${attributes}`
  if (httpGet) {
    const scheme = String(httpGet["scheme"] ?? "HTTP").toLowerCase()
    const path = String(httpGet["path"] ?? "")
    return `http-get ${scheme}://${httpGet["host"] ?? ""}:${httpGet["port"]}${path.startsWith("/") || path === "" ? path : `/${path}`} ${attributes}`
  }
  if (tcpSocket) return `tcp-socket ${tcpSocket["host"] ?? ""}:${tcpSocket["port"]} ${attributes}`
  if (grpc) return `grpc <pod>:${grpc["port"]} ${grpc["service"] ?? ""} ${attributes}`
  return `unknown ${attributes}`
}

function describeEnvFrom(w: DescribeWriter, container: Obj): void {
  const list = (container["envFrom"] ?? []) as Obj[]
  if (list.length === 0) return
  w.line(2, "Environment Variables from:")
  for (const one of list) {
    const [kind, ref] = one["configMapRef"]
      ? ["ConfigMap", one["configMapRef"] as Obj]
      : ["Secret", one["secretRef"] as Obj]
    const prefix = one["prefix"] ? ` with prefix '${one["prefix"]}'` : ""
    w.line(3, `${ref["name"]}\t${kind}${prefix}\tOptional: ${ref["optional"] === true}`)
  }
}

function describeEnv(w: DescribeWriter, container: Obj, pod: Obj | undefined): void {
  const list = (container["env"] ?? []) as Obj[]
  w.line(2, `Environment:${list.length === 0 ? "\t<none>" : ""}`)
  for (const one of list) {
    const name = one["name"] as string
    const from = one["valueFrom"] as Record<string, Obj | undefined> | undefined
    if (!from) {
      String(one["value"] ?? "")
        .split("\n")
        .forEach((line, i) => w.line(3, i === 0 ? `${name}:\t${line}` : `\t${line}`))
      continue
    }
    const { fieldRef, resourceFieldRef, secretKeyRef, configMapKeyRef, fileKeyRef } = from
    if (fieldRef) {
      const value = pod ? fieldValue(pod, fieldRef["fieldPath"] as string) : ""
      w.line(3, `${name}:\t${value} (${fieldRef["apiVersion"] ?? "v1"}:${fieldRef["fieldPath"]})`)
    } else if (resourceFieldRef) {
      w.line(3, `${name}:\t${resourceValue(container, resourceFieldRef)} (${resourceFieldRef["resource"]})`)
    } else if (secretKeyRef) {
      w.line(
        3,
        `${name}:\t<set to the key '${secretKeyRef["key"]}' in secret '${secretKeyRef["name"]}'>\tOptional: ${secretKeyRef["optional"] === true}`,
      )
    } else if (configMapKeyRef) {
      w.line(
        3,
        `${name}:\t<set to the key '${configMapKeyRef["key"]}' of config map '${configMapKeyRef["name"]}'>\tOptional: ${configMapKeyRef["optional"] === true}`,
      )
    } else if (fileKeyRef) {
      w.line(
        3,
        `${name}:\t<set to the key '${fileKeyRef["key"]}' in file '${fileKeyRef["path"]}'>\tOptional: ${fileKeyRef["optional"] === true}`,
      )
    }
  }
}

function fieldValue(pod: Obj, path: string): string {
  const m = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(path)
  if (m) return String(at(pod, "metadata", m[1]!, m[2]!) ?? "")
  const names: Readonly<Record<string, string[]>> = {
    "spec.nodeName": ["spec", "nodeName"],
    "spec.serviceAccountName": ["spec", "serviceAccountName"],
    "status.hostIP": ["status", "hostIP"],
    "status.podIP": ["status", "podIP"],
  }
  return String(at(pod, ...(names[path] ?? path.split("."))) ?? "")
}

/** Whole multiples of the divisor, rounded up. */
function resourceValue(container: Obj, ref: Obj): string {
  const [side, resource] = String(ref["resource"]).split(/\.(.*)/) as [string, string]
  const value = parseQuantity((at(container, "resources", side, resource) as string | undefined) ?? "0")
  const divisor = parseQuantity(
    ref["divisor"] === undefined || ref["divisor"] === "0" ? "1" : String(ref["divisor"]),
  )
  const whole = Math.ceil(
    resource === "cpu" ? value.milliValue() / divisor.milliValue() : value.value() / divisor.value(),
  )
  const isOfNode = side === "limits" && (resource === "cpu" || resource === "memory")
  return whole === 0 && isOfNode ? "node allocatable" : String(whole)
}

function describeMounts(w: DescribeWriter, container: Obj): void {
  const mounts = ((container["volumeMounts"] ?? []) as Obj[]).toSorted((a, b) =>
    String(a["mountPath"]) < String(b["mountPath"]) ? -1 : 1,
  )
  w.line(2, `Mounts:${mounts.length === 0 ? "\t<none>" : ""}`)
  for (const mount of mounts) {
    const marks = [mount["readOnly"] === true ? "ro" : "rw"]
    if (mount["subPath"]) marks.push(`path="${mount["subPath"]}"`)
    w.line(3, `${mount["mountPath"]} from ${mount["name"]} (${marks.join(",")})`)
  }
  const devices = (container["volumeDevices"] ?? []) as Obj[]
  if (devices.length > 0) {
    w.line(2, "Devices:")
    for (const one of devices) w.line(3, `${one["devicePath"]} from ${one["name"]}`)
  }
}
