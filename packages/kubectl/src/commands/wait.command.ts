/** `kubectl wait`. Mirrors: kubectl pkg/cmd/wait */
import { goQuote, isNotFound, parseJSONPath, relaxedJSONPath } from "@knarr/apimachinery"
import { TimeoutError } from "@knarr/base"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { watchObject, weekMs } from "../deletion.ts"
import { throwAll } from "../errors.ts"
import { infosOf, readManifests } from "../files/manifests.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { changePrinter } from "../printers/printer.ts"
import { fetchObject, listPages, targetsOf } from "../resources.ts"
import {
  allFlag,
  allNamespacesFlag,
  fieldSelectorFlag,
  fileFlags,
  localFlag,
  printFlags,
  selectorFlag,
} from "../shared-flags.ts"
import type { Place } from "../writes.ts"

export const wait = defineKubectlCommand({
  name: "wait",
  summary: "Wait for a specific condition on one or many resources",
  usage:
    "([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) [--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]]",
  flags: [
    ...fileFlags,
    ...printFlags,
    selectorFlag,
    fieldSelectorFlag,
    allFlag,
    allNamespacesFlag,
    localFlag,
    flag.array(
      "for",
      "The condition to wait on: [create|delete|condition=condition-name[=condition-value]|jsonpath='{JSONPath expression}'=[JSONPath value]]. The default condition-value is true.",
    ),
    flag.duration("timeout", {
      default: "30s",
      help: "The length of time to wait before giving up. Zero means check once and don't wait, negative means wait for a week.",
    }),
  ],
  run: runWait,
})

/** Returns true when the object is as wanted; undefined stands for an object that is not there. */
type Check = (obj: Obj | undefined) => boolean

function conditionOf(text: string): { check: Check; kind: "create" | "delete" | "state" } {
  const lower = text.toLowerCase()
  if (lower === "delete") return { kind: "delete", check: (obj) => obj === undefined }
  if (lower === "create") return { kind: "create", check: (obj) => obj !== undefined }
  if (text.startsWith("condition=")) {
    const rest = text.slice("condition=".length)
    const equals = rest.indexOf("=")
    const name = equals < 0 ? rest : rest.slice(0, equals)
    return { kind: "state", check: conditionCheck(name, equals < 0 ? "true" : rest.slice(equals + 1)) }
  }
  if (text.startsWith("jsonpath="))
    return { kind: "state", check: jsonPathCheck(text.slice("jsonpath=".length)) }
  throw new Error(`unrecognized condition: ${goQuote(text)}`)
}

function conditionCheck(name: string, wanted: string): Check {
  return (obj) => {
    const conditions = (at(obj, "status", "conditions") ?? []) as Obj[]
    const condition = conditions.find((one) => String(one["type"]).toLowerCase() === name.toLowerCase())
    if (!condition) return false
    const generation = at(obj, "metadata", "generation") as number | undefined
    const own = condition["observedGeneration"] as number | undefined
    const observed = own ?? (at(obj, "status", "observedGeneration") as number | undefined)
    if (generation !== undefined && observed !== undefined && observed < generation) return false
    return String(condition["status"]).toLowerCase() === wanted.toLowerCase()
  }
}

function jsonPathCheck(text: string): Check {
  const m = /^(\{[^]*?\}|[^={}]+)(?:=([^]*))?$/.exec(text.replace(/^'|'$/g, ""))
  const literal = /^\{.*[=<>!]=.*\}/.test(text)
  const brace = literal ? text.lastIndexOf("}=") : -1
  const expression =
    brace > 0 ? text.slice(0, brace + 1) : literal && !text.includes("}=") ? text : (m?.[1] ?? text)
  const value = brace > 0 ? text.slice(brace + 2) : literal ? undefined : m?.[2]
  if (value === "")
    throw new Error(
      "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
    )
  const path = parseJSONPath(/^\{.*\[.*\]/.test(expression) ? expression : relaxedJSONPath(expression), {
    allowMissingKeys: true,
  })
  const wanted = value?.replace(/^(['"])(.*)\1$/, "$2")
  return (obj) => {
    if (!obj) return false
    const values = path.findResults(obj).flat()
    if (values.length === 0) return false
    if (wanted === undefined) return true
    if (values.length > 1) throw new Error("given jsonpath expression matches more than one value")
    const found = values[0]
    if (typeof found === "object" && found !== null) {
      throw new Error("jsonpath leads to a nested object or list which is not supported")
    }
    return String(found).trim() === wanted.trim()
  }
}

async function runWait(ctx: CommandContext): Promise<void> {
  const { flags } = ctx
  const conditions = flags.list("for").map(conditionOf)
  if (conditions.length === 0) throw new Error("unrecognized condition: []")
  const given = flags.duration("timeout")
  const timeoutMs = given < 0 ? weekMs : given
  const printer = await changePrinter(ctx, "condition met", "none")
  const { clock } = ctx.io
  const end = clock.monotonic() + timeoutMs
  const ordered = conditions.toSorted((a, b) => Number(b.kind === "create") - Number(a.kind === "create"))
  const errors: Error[] = []
  const creating = ordered.some((one) => one.kind === "create")
  const deleting = ordered.some((one) => one.kind === "delete")
  const places = await awaitPlaces(ctx, creating, end)
  if (places.length === 0) {
    if (deleting) return
    throw new Error("no matching resources found")
  }
  for (const place of places) {
    try {
      const last = await waitForPlace(ctx, place, ordered, end)
      if (last) ctx.out(printer(last))
    } catch (thrown) {
      errors.push(thrown as Error)
    }
  }
  throwAll(errors)
}

async function waitForPlace(
  ctx: CommandContext,
  place: Place,
  conditions: readonly { check: Check; kind: "create" | "delete" | "state" }[],
  end: number,
): Promise<Obj | undefined> {
  const api = await ctx.factory.api()
  const { clock } = ctx.io
  let first: Obj | undefined
  try {
    first = await fetchObject(api, place)
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
    // Waiting for the end of what is not there is over at once, and nothing is said.
    if (conditions.every((one) => one.kind === "delete")) return undefined
    if (!conditions.some((one) => one.kind === "create")) throw thrown
  }
  let last = first
  for (const { check } of conditions) {
    if (check(last)) continue
    const left = end - clock.monotonic()
    if (left <= 0) {
      const what = `${place.resource.plural}/${place.name}`
      throw new Error(
        ctx.flags.duration("timeout") === 0 ? `condition not met for ${what}` : timeoutText(place),
      )
    }
    try {
      await watchObject(api, place, { clock, signal: ctx.signal, timeoutMs: left }, (obj) => {
        last = obj ?? last
        return check(obj)
      })
    } catch (thrown) {
      if (thrown instanceof TimeoutError) throw new Error(timeoutText(place), { cause: thrown })
      throw thrown
    }
  }
  return last
}

function timeoutText(place: Place): string {
  return `timed out waiting for the condition on ${place.resource.plural}/${place.name}`
}

/** What to wait for; with `create`, until a selector matches something. */
async function awaitPlaces(ctx: CommandContext, creating: boolean, end: number): Promise<Place[]> {
  for (;;) {
    const places = await placesOf(ctx)
    if (places.length > 0 || !creating) return places
    if (ctx.io.clock.monotonic() >= end) throw new Error("timed out waiting for the condition")
    await ctx.io.clock.sleep(500, ctx.signal)
  }
}

async function placesOf(ctx: CommandContext): Promise<Place[]> {
  const { flags } = ctx
  if (flags.list("filename").length > 0) return infosOf(ctx, await readManifests(ctx))
  const targets = await targetsOf(ctx, { args: ctx.args, all: flags.bool("all") })
  const api = await ctx.factory.api()
  const out: Place[] = []
  for (const target of targets) {
    if (target.name !== undefined) out.push({ ...target, name: target.name })
    else {
      for await (const page of listPages(ctx, api, target)) {
        for (const item of (page["items"] ?? []) as Obj[]) {
          const { name, namespace = "" } = item["metadata"] as { name: string; namespace?: string }
          out.push({ resource: target.resource, namespace, name })
        }
      }
    }
  }
  return out
}
