/** Printing objects as `-o` asks for. Mirrors: cli-runtime pkg/genericclioptions/print_flags.go */
import { readFile } from "node:fs/promises"
import { parseJSONPath, stringifyYaml, goQuote } from "@knarr/apimachinery"
import { compileTemplate } from "../template/go-template.ts"
import type { CommandContext } from "../command.ts"
import { objectName, withoutManagedFields, type Obj } from "../object.ts"
import { compactJson, indentedJson, orderedJson } from "./json.ts"
import { hasOrder } from "./typed-json.ts"

/** Gives an object's text, with its newline where it has one. */
export type ObjectPrinter = (obj: Obj) => string

const templateForms = [
  "go-template",
  "template",
  "go-template-file",
  "templatefile",
  "jsonpath",
  "jsonpath-as-json",
  "jsonpath-file",
]
export const objectForms =
  "json, yaml, kyaml, name, go-template, go-template-file, template, templatefile, jsonpath, jsonpath-as-json, jsonpath-file"

/** The form and its template of the flags `--output` and `--template`. */
export function outputForm(ctx: CommandContext): { form: string; template: string } {
  const output = ctx.flags.text("output")
  const template = ctx.flags.text("template")
  const equals = output.indexOf("=")
  if (equals >= 0 && templateForms.includes(output.slice(0, equals))) {
    return { form: output.slice(0, equals), template: output.slice(equals + 1) }
  }
  if (output === "" && template !== "") return { form: "go-template", template }
  return { form: output, template }
}

/**
 * The printer of a command that changes objects: `pod/x created` by default. `operation` may be a function for
 * messages that differ from object to object.
 */
export async function changePrinter(
  ctx: CommandContext,
  operation: string | ((obj: Obj) => string),
  dryRun: DryRun,
): Promise<ObjectPrinter> {
  const { form, template } = outputForm(ctx)
  const suffix = dryRunSuffix(dryRun)
  if (form === "") {
    return (obj) => {
      const done = typeof operation === "string" ? operation : operation(obj)
      return done === "" ? `${objectName(obj)}\n` : `${objectName(obj)} ${done}${suffix}\n`
    }
  }
  return objectPrinter(ctx, form, template)
}

export type DryRun = "none" | "client" | "server"

/** Reads `--dry-run`. Throws with upstream's message. */
export function dryRunOf(ctx: CommandContext): DryRun {
  const value = ctx.flags.text("dry-run") || "none"
  switch (value) {
    case "unchanged":
      ctx.err("--dry-run is deprecated and can be replaced with --dry-run=client.\n")
      return "client"
    case "none":
    case "client":
    case "server":
      return value
    default:
      throw new Error(`Invalid dry-run value (${value}). Must be "none", "server", or "client".`)
  }
}

export function dryRunSuffix(dryRun: DryRun): string {
  return dryRun === "client" ? " (dry run)" : dryRun === "server" ? " (server dry run)" : ""
}

/** The printer of a form other than a table. Throws when there is no such form. */
export async function objectPrinter(
  ctx: CommandContext,
  form: string,
  template: string,
  forms = objectForms,
): Promise<ObjectPrinter> {
  const strip = ctx.flags.bool("show-managed-fields") ? (obj: Obj): Obj => obj : withoutManagedFields
  switch (form) {
    case "yaml": {
      let printed = 0
      return (obj) => (printed++ > 0 ? "---\n" : "") + stringifyYaml(strip(obj))
    }
    case "kyaml": {
      const { kyaml } = await import("./kyaml.ts")
      return (obj) => kyaml(strip(obj))
    }
    case "json":
      return (obj) => (hasOrder(obj) ? orderedJson(obj) : indentedJson(strip(obj)))
    case "name":
      return (obj) =>
        ((obj["kind"] === "List" ? obj["items"] : [obj]) as Obj[])
          .map((one) => `${objectName(one)}\n`)
          .join("")
    case "jsonpath":
    case "jsonpath-file":
    case "jsonpath-as-json":
      return jsonPathPrinter(ctx, form, template)
    case "go-template":
    case "template":
    case "go-template-file":
    case "templatefile":
      return goTemplatePrinter(ctx, form, template)
    default:
      throw new Error(
        `unable to match a printer suitable for the output format ${goQuote(form)}, allowed formats are: ${forms.replaceAll(", ", ",")}`,
      )
  }
}

async function templateText(form: string, template: string, file: boolean): Promise<string> {
  if (template === "") throw new Error("template format specified but no template given")
  if (!file) return template
  try {
    return await readFile(template, "utf8")
  } catch (cause) {
    throw new Error(`error reading --template ${template}, open ${template}: no such file or directory\n`, {
      cause,
    })
  }
}

async function jsonPathPrinter(ctx: CommandContext, form: string, template: string): Promise<ObjectPrinter> {
  const text = await templateText(form, template, form === "jsonpath-file")
  let path
  try {
    path = parseJSONPath(text, {
      allowMissingKeys: ctx.flags.bool("allow-missing-template-keys"),
      outputJSON: form === "jsonpath-as-json",
    })
  } catch (cause) {
    throw new Error(`error parsing jsonpath ${text}, ${(cause as Error).message}`, { cause })
  }
  return (obj) => {
    try {
      return path.execute(obj)
    } catch (cause) {
      const message = (cause as Error).message
      ctx.out(
        `Error executing template: ${message}. Printing more information for debugging the template:\n` +
          `\ttemplate was:\n\t\t${text}\n\tobject given to jsonpath engine was:\n\t\t${compactJson(obj)}\n\n\n`,
      )
      throw new Error(
        `error executing jsonpath ${goQuote(text)}: ${`Error executing template: ${message}`}`,
        { cause },
      )
    }
  }
}

async function goTemplatePrinter(
  ctx: CommandContext,
  form: string,
  template: string,
): Promise<ObjectPrinter> {
  const text = await templateText(form, template, form.endsWith("file"))
  const allowMissing = ctx.flags.bool("allow-missing-template-keys")
  let compiled
  try {
    compiled = compileTemplate(text, { allowMissing })
  } catch (cause) {
    throw new Error(`error parsing template ${text}, ${(cause as Error).message}`, { cause })
  }
  return (obj) => {
    try {
      return compiled(obj)
    } catch (cause) {
      throw new Error(`error executing template ${goQuote(text)}: ${(cause as Error).message}`, { cause })
    }
  }
}
