/** `describe configmap|secret|serviceaccount`. Mirrors: kubectl pkg/describe/describe.go */
import type { Obj } from "../object.ts"
import { describeMeta, type DescribeContext } from "./writer.ts"

export async function describeConfigMap(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  describeMeta(d, obj)
  w.write(0, "\nData\n====\n")
  const data = (obj["data"] ?? {}) as Record<string, string>
  for (const key of Object.keys(data).sort()) {
    w.write(0, `${key}:\n----\n`)
    w.write(0, `${data[key]}\n`)
    w.write(0, "\n")
  }
  w.write(0, "\nBinaryData\n====\n")
  const binary = (obj["binaryData"] ?? {}) as Record<string, string>
  for (const key of Object.keys(binary).sort()) {
    w.line(0, `${key}: ${Buffer.from(binary[key]!, "base64").length} bytes`)
  }
  w.write(0, "\n")
  await d.events(obj)
}

export function describeSecret(d: DescribeContext, obj: Obj): void {
  const { w } = d
  describeMeta(d, obj)
  w.write(0, `\nType:\t${obj["type"] ?? ""}\n`)
  w.write(0, "\nData\n====\n")
  const data = (obj["data"] ?? {}) as Record<string, string>
  const isToken = obj["type"] === "kubernetes.io/service-account-token"
  for (const key of Object.keys(data).sort()) {
    const value = Buffer.from(data[key]!, "base64")
    w.line(0, `${key}:\t${isToken && key === "token" ? value.toString("utf8") : `${value.length} bytes`}`)
  }
}

export async function describeServiceAccount(d: DescribeContext, obj: Obj): Promise<void> {
  const { w } = d
  describeMeta(d, obj)
  const secrets = ((obj["imagePullSecrets"] ?? []) as Obj[]).map((one) => String(one["name"]))
  if (secrets.length === 0) w.row(0, "Image pull secrets", "<none>")
  secrets.forEach((name, i) => w.line(0, `${i === 0 ? "Image pull secrets:" : " ".repeat(19)}\t${name}`))
  await d.events(obj)
}
