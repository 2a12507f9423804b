/** `describe configmap|secret|serviceaccount`. Mirrors: kubectl pkg/describe/describe.go */
import { at, type Obj } from "../object.ts"
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
  const { namespace, name, uid } = obj["metadata"] as { namespace: string; name: string; uid: string }
  const secrets = ((await d.api.get(`/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`))[
    "items"
  ] ?? []) as Obj[]
  const tokens = secrets.filter(
    (one) =>
      one["type"] === "kubernetes.io/service-account-token" &&
      at(one, "metadata", "annotations", "kubernetes.io/service-account.name") === name &&
      at(one, "metadata", "annotations", "kubernetes.io/service-account.uid") === uid,
  )
  const names = (list: unknown): string[] => ((list ?? []) as Obj[]).map((one) => one["name"] as string)
  const existing = new Set(secrets.map((one) => one["metadata"].name as string))
  const rows: [string, string[]][] = [
    ["Image pull secrets", names(obj["imagePullSecrets"])],
    ["Mountable secrets", names(obj["secrets"])],
    ["Tokens", tokens.map((one) => one["metadata"].name as string)],
  ]
  for (const [title, list] of rows) {
    if (list.length === 0) {
      if (title === "Image pull secrets") w.row(0, title, "<none>")
      continue
    }
    list.forEach((one, i) =>
      w.line(0, `${i === 0 ? `${title}:` : ""}\t${one}${existing.has(one) ? "" : " (not found)"}`),
    )
  }
  await d.events(obj)
}
