/** What a run found: totals by group, and differences by cause. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Difference } from "./compare.ts"
import type { Script, Step } from "./script.ts"

/** A difference that is meant, with its reason. Every pattern that is given must match. */
export interface Accepted {
  readonly reason: string
  readonly group?: string
  /** On the script's name. */
  readonly script?: string
  /** On the step's name. */
  readonly step?: string
  readonly piece?: string
  readonly cause?: string
}

export interface Finding extends Difference {
  readonly script: Script
  readonly step: Step
  readonly accepted: string | undefined
}

export interface Count {
  equal: number
  accepted: number
  total: number
}

export function readAccepted(): Accepted[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, "accepted.json"), "utf8")) as Accepted[]
}

export class Report {
  readonly findings: Finding[] = []
  readonly counts = new Map<string, Count>()
  readonly #accepted: readonly (Accepted & { readonly patterns: readonly [string, RegExp][] })[]

  constructor(accepted: readonly Accepted[]) {
    this.#accepted = accepted.map((one) => ({
      ...one,
      patterns: (["group", "script", "step", "piece", "cause"] as const).flatMap((key) =>
        one[key] === undefined ? [] : [[key, new RegExp(one[key])] as [string, RegExp]],
      ),
    }))
  }

  add(script: Script, step: Step, total: number, differences: readonly Difference[]): void {
    const count = this.counts.get(script.group) ?? { equal: 0, accepted: 0, total: 0 }
    this.counts.set(script.group, count)
    count.total += total
    count.equal += total - differences.length
    for (const difference of differences) {
      const accepted = this.#reason(script, step, difference)
      if (accepted !== undefined) count.accepted++
      this.findings.push({ ...difference, script, step, accepted })
    }
  }

  #reason(script: Script, step: Step, difference: Difference): string | undefined {
    const values: Readonly<Record<string, string>> = {
      group: script.group,
      script: script.name,
      step: step.name,
      piece: difference.piece,
      cause: difference.cause,
    }
    return this.#accepted.find(({ patterns }) =>
      patterns.every(([key, pattern]) => pattern.test(values[key]!)),
    )?.reason
  }

  get sum(): Count {
    const sum = { equal: 0, accepted: 0, total: 0 }
    for (const count of this.counts.values()) {
      sum.equal += count.equal
      sum.accepted += count.accepted
      sum.total += count.total
    }
    return sum
  }

  /** Percent of the answers that are equal, of those that are not accepted otherwise. */
  get percent(): number {
    const { equal, accepted, total } = this.sum
    return total === accepted ? 100 : (100 * equal) / (total - accepted)
  }

  summary(): string {
    const rows = [...this.counts, ["total", this.sum] as const].map(
      ([group, { equal, accepted, total }]) =>
        `${group.padEnd(14)}${String(equal).padStart(6)} of ${String(total).padStart(6)}  ${((100 * equal) / Math.max(total, 1)).toFixed(1).padStart(5)} %  accepted ${accepted}`,
    )
    return `${rows.join("\n")}\n${this.percent.toFixed(2)} % of what is not accepted is equal\n`
  }

  /** Causes, the most frequent first, each with `examples` places where it shows. */
  causes(examples = 3): string {
    const causes = new Map<string, Finding[]>()
    for (const finding of this.findings) {
      if (finding.accepted !== undefined) continue
      const list = causes.get(finding.cause)
      if (list) list.push(finding)
      else causes.set(finding.cause, [finding])
    }
    return [...causes]
      .sort((a, b) => b[1].length - a[1].length)
      .map(([cause, found]) => {
        const places = found.slice(0, examples).map((one) => `      ${placeOf(one)}`)
        return `${String(found.length).padStart(5)}  ${cause}\n${places.join("\n")}`
      })
      .join("\n")
  }
}

export function placeOf({ script, step, piece }: Finding): string {
  return `${script.group} ${script.name} > ${step.name}${piece === "" ? "" : ` > ${piece}`}`
}

/** Everything about one difference. */
export function describeFinding(finding: Finding): string {
  const { step } = finding
  const sent = step.from
    ? `(what was remembered as ${step.from.saved}, with ${JSON.stringify(step.from.edits)})`
    : step.body === undefined
      ? ""
      : typeof step.body === "string"
        ? step.body
        : JSON.stringify(step.body)
  return [
    `── ${placeOf(finding)}`,
    `   ${finding.cause}`,
    ...(finding.accepted === undefined ? [] : [`   accepted: ${finding.accepted}`]),
    `   ${step.method} ${step.path} ${step.headers ? JSON.stringify(step.headers) : ""}`,
    ...(sent === "" ? [] : [`   ${sent.slice(0, 3000)}`]),
    `   reference ${finding.reference.slice(0, 20000)}`,
    `   knarr     ${finding.knarr.slice(0, 20000)}`,
  ].join("\n")
}
