/** Finds where two answers differ, and names the kind of difference so that alike ones can be counted together. */
import type { Answer } from "./normalise.ts"

export interface Difference {
  readonly piece: string
  readonly reference: string
  readonly knarr: string
  /** The kind of difference, without what is particular to the request. */
  readonly cause: string
}

export interface Comparison {
  readonly total: number
  readonly differences: readonly Difference[]
}

export function compareAnswers(reference: Answer, knarr: Answer): Comparison {
  const pieces = [...new Set([...Object.keys(reference), ...Object.keys(knarr)])]
  const differences: Difference[] = []
  for (const piece of pieces) {
    const left = reference[piece] ?? ""
    const right = knarr[piece] ?? ""
    if (left !== right)
      differences.push({ piece, reference: left, knarr: right, cause: causeOf(left, right) })
  }
  return { total: pieces.length, differences }
}

interface Head {
  readonly status?: number
  readonly type?: string
  readonly warnings?: readonly string[]
  readonly body?: any
}

function causeOf(left: string, right: string): string {
  if (left === "") return "only Knarr has it"
  if (right === "") return "missing"
  const a = JSON.parse(left) as Head
  const b = JSON.parse(right) as Head
  if (typeof a !== "object" || a === null || !("status" in a && "type" in a)) return valuesCause(a, b)
  if (a.status !== b.status)
    return `status ${a.status} | ${b.status}: ${shortMessage(a.body)} | ${shortMessage(b.body)}`
  if (a.body?.kind === "Status" && b.body?.kind === "Status") {
    const causes = causesCause(a.body, b.body)
    if (causes) return causes
  }
  if (a.type !== b.type) return `type ${a.type} | ${b.type}`
  if (JSON.stringify(a.warnings) !== JSON.stringify(b.warnings)) {
    const missing = a.warnings!.filter((text) => !b.warnings!.includes(text))
    const more = b.warnings!.filter((text) => !a.warnings!.includes(text))
    return `warnings: ${[...missing.map((text) => `missing ${general(text)}`), ...more.map((text) => `more ${general(text)}`)].join("; ")}`
  }
  return valuesCause(a.body, b.body)
}

function shortMessage(body: any): string {
  if (body?.kind !== "Status")
    return typeof body === "string" ? general(body).slice(0, 60) : (body?.kind ?? "-")
  const causes = (body.details?.causes ?? []) as { reason?: string; field?: string; message?: string }[]
  if (causes.length > 0)
    return [...new Set(causes.map((c) => `${c.field} ${c.reason}`))].slice(0, 3).map(general).join(", ")
  return general(String(body.message ?? "")).slice(0, 120)
}

/** What differs in the causes of two refusals. */
function causesCause(a: any, b: any): string | undefined {
  const list = (body: any): { field: string; reason: string; message: string }[] => body.details?.causes ?? []
  const text = (c: { field: string; reason: string; message: string }): string =>
    `${c.field} ${c.reason} ${c.message}`
  const left = list(a)
  const right = list(b)
  const missing = left.filter((c) => !right.some((d) => text(c) === text(d)))
  const more = right.filter((c) => !left.some((d) => text(c) === text(d)))
  if (missing.length === 0 && more.length === 0) {
    if (left.length > 0 && left.map(text).join() !== right.map(text).join()) return "order of causes"
    if (a.message !== b.message)
      return `message ${general(String(a.message)).slice(0, 140)} | ${general(String(b.message)).slice(0, 140)}`
    return undefined
  }
  const reworded = missing.filter((c) => more.some((d) => d.field === c.field && d.reason === c.reason))
  if (reworded.length > 0) {
    const c = reworded[0]!
    const d = more.find((e) => e.field === c.field && e.reason === c.reason)!
    return `cause reworded: ${general(c.field)} ${general(c.message).slice(0, 100)} | ${general(d.message).slice(0, 100)}`
  }
  const c = missing[0]
  const d = more[0]
  return `causes: ${c ? `missing ${general(c.field)} ${c.reason}` : ""}${c && d ? "; " : ""}${d ? `more ${general(d.field)} ${d.reason}` : ""}`
}

/** The first paths at which two values differ. */
function valuesCause(a: unknown, b: unknown): string {
  const found: string[] = []
  walk(a, b, "", found)
  return [...new Set(found)].slice(0, 2).join("; ") || "order"
}

function walk(a: unknown, b: unknown, path: string, found: string[]): void {
  if (found.length >= 2 || JSON.stringify(a) === JSON.stringify(b)) return
  if (typeof a === "string" && typeof b === "string") {
    found.push(`${path}: ${general(a).slice(0, 70)} | ${general(b).slice(0, 70)}`)
    return
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) found.push(`${path}[]: ${a.length > b.length ? "fewer" : "more"} items`)
    else a.forEach((item, i) => walk(item, b[i], `${path}[]`, found))
    return
  }
  if (isObject(a) && isObject(b)) {
    for (const key of [...new Set([...Object.keys(a), ...Object.keys(b)])]) {
      const at = `${path}.${/^f:|[./]/.test(key) ? "*" : key}`
      if (!(key in b))
        found.push(`missing ${at}${JSON.stringify(a[key]).length < 30 ? ` ${JSON.stringify(a[key])}` : ""}`)
      else if (!(key in a))
        found.push(`more ${at}${JSON.stringify(b[key]).length < 30 ? ` ${JSON.stringify(b[key])}` : ""}`)
      else walk(a[key], b[key], at, found)
    }
    return
  }
  found.push(`${path}: ${brief(a)} | ${brief(b)}`)
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? "-").slice(0, 50)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** A text without names and numbers of its own. */
function general(text = ""): string {
  return text
    .replace(/\[\d+\]/g, "[]")
    .replace(/\b[a-z0-9-]*\bd-[a-z0-9.-]+/g, "NAME")
    .replace(/\b\d{3,}\b/g, "N")
}
