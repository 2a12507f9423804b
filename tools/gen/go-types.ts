/**
 * Go's view of the API, from facts/go-types.json: for the schema tables the order of fields, what is embedded and the
 * names of types; and a table of the internal types that refusals show.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"

interface GoTypes {
  /** Fields in order: `Name type [json[,option…]]`, a leading `^` for what is embedded. */
  readonly structs: Readonly<Record<string, readonly string[]>>
  readonly named: Readonly<Record<string, string>>
}

/** A field of a struct, or of one that is embedded in it. */
export interface GoField {
  readonly name: string
  readonly type: string
  readonly json: string | undefined
  readonly option: string
  /** The package of the struct that has it. */
  readonly packageName: string
  /** The embedded structs on the way to it: `RuleWithOperations.Rule`. */
  readonly inside: string
}

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1"

export class GoFacts {
  readonly #facts: GoTypes

  constructor(factsDir: string) {
    this.#facts = JSON.parse(readFileSync(join(factsDir, "go-types.json"), "utf8")) as GoTypes
  }

  /** In Go's order; undefined for what is no struct. */
  fieldsOf(name: string, inside: readonly string[] = []): GoField[] | undefined {
    const rows = this.#facts.structs[name]
    const packageName = name.slice(0, name.lastIndexOf("."))
    return rows?.flatMap((row) => {
      const [field, type, tag] = row.split(" ") as [string, string, string?]
      if (field.startsWith("^")) {
        const inner = this.#key(type, packageName)
        return this.fieldsOf(inner, [...inside, field.slice(1)]) ?? []
      }
      const [json, ...options] = tag?.split(",") ?? []
      return [
        { name: field, type, json, option: options.at(-1) ?? "", packageName, inside: inside.join(".") },
      ]
    })
  }

  /** How Go calls the type of a value in an error, where that is not what the schema says; undefined otherwise. */
  nameOf({ type, packageName }: GoField): string | undefined {
    const isNamed = (name: string): boolean =>
      name.startsWith("types.") || this.#facts.named[this.#key(name, packageName)] !== undefined
    const called = (name: string): string =>
      /^[A-Z]/.test(name)
        ? `${packageName.split(".").at(-1)}.${name}`
        : name.replace(/^(metav1|apimachineryv1|corev1|apiv1)\./, "v1.")
    const plain = type.replace(/^\*/, "")
    const [, key, value] = /^map\[([\w.]+)\]([\w.]+)$/.exec(plain) ?? []
    if (key !== undefined && isNamed(key)) return `map[${called(key)}]${called(value!)}`
    const last = /[A-Za-z_][\w.]*$/.exec(plain)?.[0]
    return last !== undefined && isNamed(last) ? plain.slice(0, -last.length) + called(last) : undefined
  }

  /** The full name of a type as a file of a package calls it. */
  #key(type: string, packageName: string): string {
    const [alias, name] = type.replace(/^\*/, "").split(".") as [string, string?]
    if (name === undefined) return `${packageName}.${alias}`
    if (alias === "metav1" || alias === "apimachineryv1") return `${meta}.${name}`
    if (alias === "api" || alias === "core") return `core.${name}`
    if (alias === "v1" || alias === "corev1" || alias === "apiv1")
      return this.#facts.structs[`${meta}.${name}`] && alias === "v1"
        ? `${meta}.${name}`
        : `io.k8s.api.core.v1.${name}`
    return type
  }

  /** A table of these types and all that they reach: out name, type, and the JSON name where it is another one. */
  tableOf(roots: readonly string[]): Map<string, string[]> {
    const table = new Map<string, string[]>()
    const left = [...roots]
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (table.has(name)) continue
      const fields = this.fieldsOf(name)
      if (!fields) throw new Error(`Cannot find the Go type "${name}"`)
      const versioned = new Map(this.#versionedFields(name).map((field) => [field.name, field.json]))
      const own = fields.filter(({ inside }) => inside !== "TypeMeta")
      const rows = own.map((field) => {
        const type = this.#shape(field.type, field.packageName, left)
        const above = field.inside === "ObjectMeta" ? "metadata." : ""
        const from =
          above +
          (field.json ?? versioned.get(field.name) ?? field.name[0]!.toLowerCase() + field.name.slice(1))
        const out = field.json ?? field.name
        const words = [out, type]
        if (from !== out && from !== out[0]!.toLowerCase() + out.slice(1)) words.push(`=${from}`)
        if (field.json !== undefined && field.option.startsWith("omit")) words.push(field.option)
        return words.join(" ")
      })
      table.set(name, rows)
    }
    return table
  }

  /** The fields of the published type that an internal one stands for. */
  #versionedFields(name: string): GoField[] {
    const [packageName, type] = name.split(".") as [string, string]
    const found = Object.keys(this.#facts.structs).filter(
      (key) => key.startsWith("io.k8s.") && key.split(".").at(-3) === packageName && key.endsWith(`.${type}`),
    )
    return found.length > 0 ? this.fieldsOf(found.sort().at(-1)!)! : []
  }

  #shape(type: string, packageName: string, reached: string[]): string {
    if (type === "[]byte") return "bytes"
    if (type.startsWith("*")) return `*${this.#shape(type.slice(1), packageName, reached)}`
    if (type.startsWith("[]")) return `[]${this.#shape(type.slice(2), packageName, reached)}`
    const map = /^map\[[\w.]+\](.*)$/.exec(type)
    if (map) return `map[]${this.#shape(map[1]!, packageName, reached)}`
    if (/^(string|bool|float64)$/.test(type)) return type
    if (/^u?int\d*$/.test(type)) return "int"
    if (type.endsWith("types.UID")) return "string"
    if (/\.?Time$/.test(type)) return "time"
    if (type === "resource.Quantity") return "quantity"
    if (type === "intstr.IntOrString") return "intstr"
    const key = this.#key(type, packageName)
    if (this.#facts.structs[key] && !key.startsWith("io.k8s.apimachinery.pkg.runtime")) {
      reached.push(key)
      return key
    }
    const named = this.#facts.named[key]
    return named ? this.#shape(named, key.slice(0, key.lastIndexOf(".")), reached) : "any"
  }
}

/** Types whose values refusals show as Go's internal types print them. */
const shown = [
  "apiextensions.CustomResourceDefinitionVersion",
  "apiextensions.JSONSchemaProps",
  "apps.DaemonSetUpdateStrategy",
  "apps.DeploymentStrategy",
  "apps.StatefulSetUpdateStrategy",
  "batch.PodFailurePolicy",
  "batch.SuccessPolicy",
  "core.NodeSelectorTerm",
  "core.PersistentVolumeClaim",
  "core.PersistentVolumeSource",
  "core.VolumeNodeAffinity",
  "core.PodTemplateSpec",
  "core.Taint",
  "networking.ParentReference",
  "policy.PodDisruptionBudgetSpec",
  "rbac.RoleRef",
  "resource.ResourceClaimSpec",
  "resource.ResourceClaimTemplateSpec",
  "storage.CSINodeDriver",
  "storagemigration.StorageVersionMigrationSpec",
  `${meta}.LabelSelector`,
  `${meta}.ObjectMeta`,
]

/** Path below packages/ → text. */
export function generateGoTypes(factsDir: string): Map<string, string> {
  const table = new GoFacts(factsDir).tableOf(shown)
  let text = "// Generated by tools/gen from facts/. Do not edit: run `npm run gen`.\n\n"
  text +=
    "/** Fields in Go's order: name, type, `=` the name in JSON where that is another, `omitempty` or `omitzero`. */\n"
  text += "export const goTypes: Readonly<Record<string, readonly string[]>> = {\n"
  const short = (name: string): string => name.replaceAll(`${meta}.`, "meta.")
  for (const [name, rows] of [...table].sort(([a], [b]) => (a < b ? -1 : 1))) {
    text += `  ${JSON.stringify(short(name))}: [\n`
    for (const row of rows) text += `    ${JSON.stringify(short(row))},\n`
    text += "  ],\n"
  }
  return new Map([["api/src/go-types.gen.ts", text + "}\n"]])
}
