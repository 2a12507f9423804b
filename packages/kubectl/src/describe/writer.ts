/** The indented, aligned text of `describe`. Mirrors: kubectl pkg/describe/describe.go (PrefixWriter) */
import { humanDuration, parseTime } from "@knarr/apimachinery"
import type { ApiClient } from "../api-client.ts"
import type { Obj } from "../object.ts"
import { TabWriter, describeTabs } from "../printers/tab-writer.ts"

const maxAnnotationLength = 140
const skippedAnnotations = new Set(["kubectl.kubernetes.io/last-applied-configuration"])

export class DescribeWriter {
  readonly #tabs: TabWriter
  readonly #aligned: boolean
  readonly now: number
  text = ""

  /** Without `aligned`, tabs stay tabs. */
  constructor(now: number, aligned = true) {
    this.now = now
    this.#aligned = aligned
    this.#tabs = new TabWriter(describeTabs, (part) => (this.text += part))
  }

  /** Text at a level of indentation, as it is: with its own tabs and newlines. */
  write(level: number, text: string): void {
    const indented = "  ".repeat(level) + text
    if (this.#aligned) this.#tabs.write(indented)
    else this.text += indented
  }

  /** One line. */
  line(level: number, text: string): void {
    this.write(level, `${text}\n`)
  }

  /** `Title:` and a value in the next column. */
  row(level: number, title: string, value: unknown): void {
    this.line(level, `${title}:\t${value as string}`)
  }

  /** What follows is aligned for itself. */
  flush(): void {
    this.#tabs.flush()
  }

  /** How long ago a moment was. */
  since(time: string | undefined | null): string {
    if (!time) return "<unknown>"
    return humanDuration(this.now - parseTime(time))
  }

  /** `key=value` lines under a title. */
  labels(
    title: string,
    labels: Readonly<Record<string, string>> | undefined,
    indent = "",
    inner = "\t",
    skip: readonly string[] = [],
  ): void {
    const keys = Object.keys(labels ?? {})
      .filter((key) => !skip.includes(key))
      .sort()
    this.write(0, `${indent}${title}:${inner}`)
    if (keys.length === 0) return this.line(0, "<none>")
    keys.forEach((key, i) => this.line(0, `${i > 0 ? indent + inner : ""}${key}=${labels![key]}`))
  }

  annotations(title: string, annotations: Readonly<Record<string, string>> | undefined): void {
    const keys = Object.keys(annotations ?? {})
      .filter((key) => !skippedAnnotations.has(key))
      .sort()
    this.write(0, `${title}:\t`)
    if (keys.length === 0) return this.line(0, "<none>")
    keys.forEach((key, i) => {
      if (i > 0) this.write(0, "\t")
      const value = annotations![key]!.replace(/\n$/, "")
      if (value.length + key.length + 2 > maxAnnotationLength || value.includes("\n")) {
        this.line(0, `${key}:`)
        for (const part of value.split("\n")) this.line(0, `\t  ${shorten(part, maxAnnotationLength - 2)}`)
      } else this.line(0, `${key}: ${value}`)
    })
  }
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text
}

/** What describers work with. */
export interface DescribeContext {
  readonly w: DescribeWriter
  readonly api: ApiClient
  readonly showEvents: boolean
  /** The object's events, printed. */
  events(obj: Obj): Promise<void>
}

export type Describer = (d: DescribeContext, obj: Obj) => Promise<void> | void

/** `Mon, 02 Jan 2006 15:04:05 +0000`, as Go's RFC1123Z in UTC. */
export function rfc1123(time: string | undefined | null): string {
  if (!time) return "Mon, 01 Jan 0001 00:00:00 +0000"
  return new Date(parseTime(time)).toUTCString().replace("GMT", "+0000")
}

export function titleBool(value: unknown): string {
  return value === true ? "True" : "False"
}

/** A list as Go's `%v` prints it. */
export function goSlice(items: readonly unknown[] | undefined): string {
  return `[${(items ?? []).join(" ")}]`
}

/** Name, namespace, labels and annotations, as most describers begin. */
export function describeMeta(d: DescribeContext, obj: Obj, namespaced = true): void {
  const { metadata } = obj as { metadata: Obj }
  d.w.row(0, "Name", metadata["name"])
  if (namespaced) d.w.row(0, "Namespace", metadata["namespace"] ?? "")
  d.w.labels("Labels", metadata["labels"])
  d.w.annotations("Annotations", metadata["annotations"])
}
