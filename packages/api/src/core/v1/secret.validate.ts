/** Validation of configuration and secrets. Mirrors: pkg/apis/core/validation/validation.go (ValidateSecret, ValidateConfigMap) */
import { field, isConfigMapKey, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { parseJson, tableOf } from "@knarr/base"
import { immutable, reasons } from "../../checks.ts"
import type { ConfigMap, Secret } from "./types.gen.ts"

const maxBytes = 1024 * 1024
const whenImmutable = "field is immutable when `immutable` is set"

function bytesOf(base64: string): number {
  return Buffer.byteLength(base64, "base64")
}

/** Keys that a secret of a type cannot be without. */
const demanded: Readonly<Record<string, readonly string[]>> = tableOf({
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
})
const accountAnnotation = "kubernetes.io/service-account.name"

export function validateSecret({ metadata, type, data = {} }: Readonly<Secret>): FieldError[] {
  const out: FieldError[] = []
  let total = 0
  for (const key of Object.keys(data).sort()) {
    out.push(...reasons(`data[${key}]`, key, isConfigMapKey(key)))
    total += bytesOf(data[key]!)
  }
  if (total > maxBytes) out.push(field.tooLong("data", "", maxBytes))
  for (const key of demanded[type ?? ""] ?? [])
    if (data[key] === undefined) out.push(field.required(`data[${key}]`, ""))
  switch (type) {
    case "kubernetes.io/service-account-token":
      if (!metadata.annotations?.[accountAnnotation])
        out.push(field.required(`metadata.annotations[${accountAnnotation}]`, ""))
      break
    case "kubernetes.io/basic-auth":
      if (data["username"] === undefined && data["password"] === undefined)
        out.push(field.required("data[username]", ""), field.required("data[password]", ""))
      break
    case "kubernetes.io/dockercfg":
    case "kubernetes.io/dockerconfigjson": {
      const key = demanded[type]![0]!
      if (data[key] === undefined) break
      const why = jsonProblem(Buffer.from(data[key], "base64").toString("utf8"))
      if (why) out.push(field.invalid(`data[${key}]`, "<secret contents redacted>", why))
    }
  }
  return out
}

/** Go's complaint about a text that is not a JSON object; undefined when it is one. */
function jsonProblem(text: string): string | undefined {
  if (text === "") return "unexpected end of JSON input"
  let value: unknown
  try {
    value = parseJson(text)
  } catch {
    const start = text.trimStart()[0]
    if (start === undefined) return "unexpected end of JSON input"
    return start === "{" || start === "["
      ? "unexpected end of JSON input"
      : `invalid character ${JSON.stringify(start).replaceAll('"', "'")} looking for beginning of value`
  }
  if (value === null || (typeof value === "object" && !Array.isArray(value))) return undefined
  const kind = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value
  return `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`
}

export function validateSecretUpdate(secret: Readonly<Secret>, old: Readonly<Secret>): FieldError[] {
  const out = immutable("type", secret.type ?? "", old.type ?? "")
  if (old.immutable) {
    if (!secret.immutable) out.push(field.forbidden("immutable", whenImmutable))
    if (!semanticEqual(secret.data, old.data)) out.push(field.forbidden("data", whenImmutable))
  }
  return out
}

export function validateConfigMap({ data = {}, binaryData = {} }: Readonly<ConfigMap>): FieldError[] {
  const out: FieldError[] = []
  let total = 0
  for (const key of Object.keys(data).sort()) {
    out.push(...reasons(`data[${key}]`, key, isConfigMapKey(key)))
    if (Object.hasOwn(binaryData, key))
      out.push(field.invalid(`data[${key}]`, key, `duplicate of key present in binaryData`))
    total += Buffer.byteLength(data[key]!)
  }
  for (const key of Object.keys(binaryData).sort()) {
    out.push(...reasons(`binaryData[${key}]`, key, isConfigMapKey(key)))
    total += bytesOf(binaryData[key]!)
  }
  if (total > maxBytes) out.push(field.tooLong("", "", maxBytes))
  return out
}

export function validateConfigMapUpdate(map: Readonly<ConfigMap>, old: Readonly<ConfigMap>): FieldError[] {
  const out: FieldError[] = []
  if (!old.immutable) return out
  if (!map.immutable) out.push(field.forbidden("immutable", whenImmutable))
  if (!semanticEqual(map.data, old.data)) out.push(field.forbidden("data", whenImmutable))
  if (!semanticEqual(map.binaryData, old.binaryData)) out.push(field.forbidden("binaryData", whenImmutable))
  return out
}
