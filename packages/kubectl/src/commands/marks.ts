/** Labels and annotations: `key=value` sets, `key-` removes. Mirrors: kubectl pkg/cmd/label/label.go */
import { createMergePatch, goQuote, jsonClone, jsonEqual, type JsonObject } from "@knarr/apimachinery"
import type { CommandContext } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag, type FlagSpec } from "../flags.ts"
import { at, kindName, objectName, type Obj } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { forEachInfo, selectInfos } from "../resources.ts"
import {
  allFlag,
  allNamespacesFlag,
  dryRunFlag,
  fieldManagerFlag,
  fieldSelectorFlag,
  fileFlags,
  localFlag,
  printFlags,
  selectorFlag,
} from "../shared-flags.ts"
import { patchObject } from "../writes.ts"

export function markFlags(manager: string): readonly FlagSpec[] {
  return [
    ...fileFlags,
    ...printFlags,
    selectorFlag,
    fieldSelectorFlag,
    allFlag,
    allNamespacesFlag,
    localFlag,
    dryRunFlag,
    fieldManagerFlag(manager),
    flag.bool("list", "If true, display the values for a given resource."),
    flag.bool(
      "overwrite",
      "If true, allow values to be overwritten, otherwise reject updates that overwrite existing ones.",
    ),
    flag.text(
      "resource-version",
      "If non-empty, the update will only succeed if this is the current resource-version for the object. Only valid when specifying a single resource.",
    ),
  ]
}

interface MarkRules {
  readonly field: "labels" | "annotations"
  readonly noun: string
  readonly valid: RegExp
  /** Throws for what may not be set. */
  check(key: string, value: string): void
  readonly done: { readonly changed: string; readonly removed: string; readonly unchanged: string }
}

interface Changes {
  readonly set: ReadonlyMap<string, string>
  readonly remove: readonly string[]
}

function isChange(arg: string): boolean {
  return arg.includes("=") || (arg.endsWith("-") && arg !== "-")
}

function parseChanges(ctx: CommandContext, args: readonly string[], rules: MarkRules): Changes {
  const set = new Map<string, string>()
  const remove: string[] = []
  for (const arg of args) {
    const equals = arg.indexOf("=")
    if (equals > 0) {
      const key = arg.slice(0, equals)
      rules.check(key, arg.slice(equals + 1))
      set.set(key, arg.slice(equals + 1))
    } else if (equals < 0 && arg.endsWith("-") && arg.length > 1) remove.push(arg.slice(0, -1))
    else throw new Error(`unknown ${rules.noun} spec: ${arg}`)
  }
  for (const key of remove) {
    if (set.has(key)) {
      throw new UsageError(
        ctx.path,
        rules.noun === "label"
          ? "can not both modify and remove a label in the same command"
          : "can not both modify and remove an annotation in the same command",
      )
    }
  }
  return { set, remove }
}

/** Runs the command. */
export async function changeMarks(ctx: CommandContext, rules: MarkRules): Promise<void> {
  const { flags } = ctx
  const first = ctx.args.findIndex(isChange)
  const resources = first < 0 ? ctx.args : ctx.args.slice(0, first)
  const changeArgs = first < 0 ? [] : ctx.args.slice(first)
  const late = changeArgs.find((arg) => !isChange(arg))
  if (late !== undefined)
    throw new Error(`all resources must be specified before ${rules.noun} changes: ${late}`)
  const fromFiles = flags.list("filename").length > 0 || flags.text("kustomize") !== ""
  if (resources.length === 0 && !fromFiles) {
    throw new Error(
      rules.noun === "label"
        ? "one or more resources must be specified as <resource> <name> or <resource>/<name>"
        : "one or more resources must be specified as <resource> <name> or <resource>/<name>",
    )
  }
  const changes = parseChanges(ctx, changeArgs, rules)
  const listing = flags.bool("list")
  if (changeArgs.length === 0 && !listing) throw new Error(`at least one ${rules.noun} update is required`)
  if (flags.bool("all") && (flags.text("selector") || flags.text("field-selector"))) {
    throw new Error("cannot set --all and --selector at the same time")
  }
  const dryRun = dryRunOf(ctx)
  const local = flags.bool("local")
  const found = await selectInfos(ctx, {
    args: fromFiles ? [] : resources,
    latest: true,
    local,
    all: flags.bool("all"),
  })
  if (flags.text("resource-version") && found.infos.length > 1) {
    throw new UsageError(ctx.path, "--resource-version may only be used with a single resource")
  }
  await forEachInfo(found, async (info) => {
    if (listing && changeArgs.length === 0) return list(ctx, info.object, rules, found.infos.length > 1)
    const before = info.object
    const after = jsonClone(before) as Obj
    const said = mark(after, changes, rules, flags.bool("overwrite"), ctx)
    const version = flags.text("resource-version")
    if (version) after["metadata"].resourceVersion = version
    let result = after
    if (dryRun !== "client" && !local) {
      const patch = createMergePatch(before as JsonObject, after as JsonObject)
      const api = await ctx.factory.api()
      const changed = !jsonEqual(before, after)
      if (changed) {
        result = await patchObject(api, info, "merge", patch, {
          dryRun,
          fieldManager: flags.text("field-manager"),
        })
      }
    }
    if (listing) return list(ctx, result, rules, found.infos.length > 1)
    ctx.out((await changePrinter(ctx, outcome(before, after, said, rules), dryRun))(result))
  })
}

function outcome(before: Obj, after: Obj, said: Changes, rules: MarkRules): string {
  if (rules.noun !== "label") return rules.done.changed
  const old = at(before, "metadata", rules.field)
  const now = at(after, "metadata", rules.field)
  if (jsonEqual(old ?? {}, now ?? {})) return rules.done.unchanged
  return said.set.size === 0 ? rules.done.removed : rules.done.changed
}

function mark(
  obj: Obj,
  changes: Changes,
  rules: MarkRules,
  overwrite: boolean,
  ctx: CommandContext,
): Changes {
  const metadata = (obj["metadata"] ??= {}) as Obj
  const marks = { ...(metadata[rules.field] as Record<string, string> | undefined) }
  if (!overwrite) {
    const problems: string[] = []
    for (const [key, value] of changes.set) {
      if (!(key in marks) || marks[key] === value) continue
      problems.push(
        rules.noun === "label"
          ? `'${key}' already has a value (${marks[key]}), and --overwrite is false`
          : `found existing ${rules.noun} ${key}=${value}`.replace(
              /^found existing .*$/,
              `--overwrite is false but found the following declared annotation(s): '${key}' already has a value (${marks[key]})`,
            ),
      )
    }
    if (problems.length > 0) throw new Error(problems.join("; "))
  }
  for (const [key, value] of changes.set) marks[key] = value
  for (const key of changes.remove) {
    if (!(key in marks) && rules.noun === "label") ctx.out(`label ${goQuote(key)} not found.\n`)
    delete marks[key]
  }
  metadata[rules.field] = marks
  if (Object.keys(marks).length === 0) delete metadata[rules.field]
  return changes
}

function list(ctx: CommandContext, obj: Obj, rules: MarkRules, several: boolean): void {
  const marks = (at(obj, "metadata", rules.field) ?? {}) as Record<string, string>
  let indent = ""
  if (several) {
    const kind = kindName(obj["kind"] as string, "")
    ctx.out(
      `Listing ${rules.field} for ${kind === "" ? objectName(obj) : `${obj["kind"]}.${groupVersion(obj)}/${at(obj, "metadata", "name")}`}:\n`,
    )
    indent = " "
  }
  for (const key of Object.keys(marks).sort()) ctx.out(`${indent}${key}=${marks[key]}\n`)
}

function groupVersion(obj: Obj): string {
  const [group, version] = String(obj["apiVersion"]).includes("/")
    ? (String(obj["apiVersion"]).split("/") as [string, string])
    : ["", String(obj["apiVersion"])]
  return group ? `${version}.${group}` : version
}
