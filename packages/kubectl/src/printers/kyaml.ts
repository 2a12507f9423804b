/** KYAML: YAML in flow style with quoted strings, for `-o kyaml`. Mirrors: sigs.k8s.io/yaml/kyaml */
import { sortedFields } from "./json.ts"
import type { Obj } from "../object.ts"

/** One document, with its opening line. */
export function kyaml(obj: Obj): string {
  return `---\n${render(sortedFields(obj), "")}\n`
}

function render(value: unknown, indent: string): string {
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  const inner = `${indent}  `
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]"
    if (value.every((one) => typeof one === "object" && one !== null)) {
      return `[${value.map((one) => render(one, indent)).join(", ")}]`
    }
    return `[\n${value.map((one) => `${inner}${render(one, inner)},\n`).join("")}${indent}]`
  }
  const entries = Object.entries(value)
  if (entries.length === 0) return "{}"
  const rows = entries.map(([key, one]) => `${inner}${keyText(key)}: ${render(one, inner)},\n`)
  return `{\n${rows.join("")}${indent}}`
}

function keyText(key: string): string {
  const plain = /^[A-Za-z_][\w./-]*$/.test(key) && !/^(?:y|n|yes|no|true|false|on|off|null)$/i.test(key)
  return plain ? key : JSON.stringify(key)
}
