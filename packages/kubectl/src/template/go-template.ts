/** Go templates as `-o go-template` needs them. Mirrors: Go text/template/exec.go */
import { goText, isTruthy, callFunction } from "./functions.ts"
import { parseGoTemplate, type Expr, type Node, type Pipe } from "./parse.ts"

class LoopControl {
  readonly kind: "break" | "continue"
  constructor(kind: "break" | "continue") {
    this.kind = kind
  }
}

interface Frame {
  dot: unknown
  readonly variables: Map<string, unknown>[]
}

const maxOutputDepth = 1000

/** Compiles a template to a function from a value to text. Throws an Error. */
export function compileTemplate(text: string, options: { allowMissing: boolean }): (data: unknown) => string {
  const template = parseGoTemplate(text)
  return (data) => {
    let out = ""
    let depth = 0

    const fieldsOf = (value: unknown, fields: readonly string[]): unknown => {
      let current = value
      for (const name of fields) {
        if (current === undefined || current === null) {
          if (current === null) throw new Error(`nil data; no entry for key ${JSON.stringify(name)}`)
          return undefined
        }
        if (typeof current !== "object" || Array.isArray(current)) {
          throw new Error(`can't evaluate field ${name} in type ${typeof current}`)
        }
        if (!Object.hasOwn(current, name) && !options.allowMissing) {
          throw new Error(`map has no entry for key ${JSON.stringify(name)}`)
        }
        current = (current as Record<string, unknown>)[name]
      }
      return current
    }

    const lookup = (frame: Frame, name: string): Map<string, unknown> => {
      const scope = frame.variables.findLast((one) => one.has(name))
      if (!scope) throw new Error(`undefined variable ${JSON.stringify(name)}`)
      return scope
    }

    const evaluate = (expr: Expr, frame: Frame): unknown => {
      switch (expr.type) {
        case "dot":
          return frame.dot
        case "literal":
          return expr.value
        case "field":
          return fieldsOf(frame.dot, expr.fields)
        case "variable":
          return fieldsOf(lookup(frame, expr.name).get(expr.name), expr.fields)
        case "chain":
          return fieldsOf(evaluate(expr.base, frame), expr.fields)
        case "pipe":
          return runPipe(expr.pipe, frame)
        case "function":
          return call(expr.name, [], frame)
      }
    }

    const call = (name: string, args: readonly Expr[], frame: Frame, final: unknown[] = []): unknown => {
      if (name === "and" || name === "or") {
        let value: unknown
        for (const arg of args) {
          value = evaluate(arg, frame)
          if (isTruthy(value) === (name === "or")) return value
        }
        return final.length > 0 ? final[0] : value
      }
      return callFunction(name, [...args.map((arg) => evaluate(arg, frame)), ...final])
    }

    const runPipe = (pipe: Pipe, frame: Frame): unknown => {
      let value: unknown
      pipe.commands.forEach((words, i) => {
        const [head, ...args] = words
        const final = i > 0 ? [value] : []
        if (head!.type === "function") value = call(head!.name, args, frame, final)
        else if (args.length > 0 || final.length > 0) {
          throw new Error(`can't give argument to non-function ${pipe.source}`)
        } else value = evaluate(head!, frame)
      })
      for (const name of pipe.variables.slice(0, 1)) {
        if (pipe.assign) lookup(frame, name).set(name, value)
        else frame.variables.at(-1)!.set(name, value)
      }
      return value
    }

    const runRange = (node: Extract<Node, { type: "range" }> | Node, frame: Frame): void => {
      if (node.type !== "range") return
      const scope = new Map<string, unknown>()
      const inner: Frame = { dot: frame.dot, variables: [...frame.variables, scope] }
      const value = runPipe({ ...node.pipe, variables: [] }, inner)
      const entries = entriesOf(value)
      if (entries.length === 0) return runNodes(node.otherwise, inner)
      for (const [key, item] of entries) {
        const [first, second] = node.pipe.variables
        if (second) scope.set(first!, key).set(second, item)
        else if (first) scope.set(first, item)
        try {
          runNodes(node.body, { dot: item, variables: [...frame.variables, scope, new Map()] })
        } catch (thrown) {
          if (!(thrown instanceof LoopControl)) throw thrown
          if (thrown.kind === "break") break
        }
      }
    }

    const runNodes = (nodes: readonly Node[], frame: Frame): void => {
      for (const node of nodes) {
        switch (node.type) {
          case "text":
            out += node.text
            break
          case "action": {
            const value = runPipe(node.pipe, frame)
            if (node.pipe.variables.length === 0) out += goText(value)
            break
          }
          case "if":
          case "with": {
            const inner: Frame = { dot: frame.dot, variables: [...frame.variables, new Map()] }
            const value = runPipe(node.pipe, inner)
            if (!isTruthy(value)) runNodes(node.otherwise, inner)
            else runNodes(node.body, node.type === "with" ? { ...inner, dot: value } : inner)
            break
          }
          case "range":
            runRange(node, frame)
            break
          case "template": {
            const body = template.defined.get(node.name)
            if (!body) throw new Error(`template ${JSON.stringify(node.name)} not defined`)
            if (++depth > maxOutputDepth) throw new Error("exceeded maximum template depth")
            const dot = node.pipe ? runPipe(node.pipe, frame) : undefined
            runNodes(body, { dot, variables: [new Map([["$", dot]])] })
            depth--
            break
          }
          default:
            throw new LoopControl(node.type)
        }
      }
    }

    runNodes(template.nodes, { dot: data, variables: [new Map([["$", data]])] })
    return out
  }
}

function entriesOf(value: unknown): [unknown, unknown][] {
  if (value === null || value === undefined) return []
  if (Array.isArray(value)) return value.map((item, i) => [i, item])
  if (typeof value === "number") return Array.from({ length: value }, (_, i) => [i, i])
  if (typeof value === "object") {
    const source = value as Record<string, unknown>
    return Object.keys(source)
      .sort()
      .map((key) => [key, source[key]])
  }
  throw new Error(`range can't iterate over ${goText(value)}`)
}
