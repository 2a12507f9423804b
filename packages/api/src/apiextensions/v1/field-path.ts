/** Paths such as `.spec.replicas` or `.labels['a.b']` through a schema. Mirrors: apiextensions pkg/apiserver/schema/cel (ValidFieldPath) */
import type { JSONSchemaProps } from "./types.gen.ts"

interface Found {
  /** The path as an error has it: `spec.replicas`, `labels[a.b]`. */
  readonly path: string
  readonly schema: JSONSchemaProps | undefined
}

/** `.`, `[`, `]`, a quoted text, or what lies between them. */
const token = /\.|\[|\]|'(?:[^'\\]|\\.)*'|[^.[\]]+/gsy

/** Where the path leads, or why it leads nowhere. */
export function followPath(text: string, root: JSONSchemaProps, withArrayNotation: boolean): Found | string {
  token.lastIndex = 0
  const tokens = text.match(token) ?? []
  let path = ""
  let schema: JSONSchemaProps | undefined = root
  const step = (name: string): string | undefined => {
    if (schema?.properties && Object.keys(schema.properties).length > 0) {
      if (!Object.hasOwn(schema.properties, name)) return "does not refer to a valid field"
      path = path === "" ? name : `${path}.${name}`
      schema = schema.properties[name]
      return undefined
    }
    const more: unknown = schema?.additionalProperties
    if (more === undefined) return "does not refer to a valid field"
    path = `${path}[${name}]`
    schema = typeof more === "object" ? (more as JSONSchemaProps) : undefined
    return undefined
  }
  for (let i = 0; i < tokens.length; i++) {
    const next = tokens[i]!
    let problem: string | undefined
    if (next === "[") {
      if (!withArrayNotation) return "array notation is not allowed"
      const quoted = tokens[++i]
      if (quoted === undefined) return "unexpected end of JSON path"
      if (!/^'.*'$/s.test(quoted) || quoted.length < 2)
        return `expected single quoted string but got ${quoted}`
      problem = step(quoted.slice(1, -1).replace(/\\(.)/gs, "$1"))
      if (problem) return problem
      const close = tokens[++i]
      if (close === undefined) return "unexpected end of JSON path"
      if (close !== "]") return `expected ] but got ${close}`
    } else if (next === ".") {
      const name = tokens[++i]
      if (name === undefined) return "unexpected end of JSON path"
      problem = step(name)
    } else return `expected [ or . but got: ${next}`
    if (problem) return problem
  }
  return { path, schema }
}
