/** `kubectl api-resources`. Mirrors: kubectl pkg/cmd/apiresources/apiresources.go */
import { defineKubectlCommand } from "../command.ts"
import type { ApiResource } from "../api-resource.ts"
import { UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import { TabWriter, tableTabs } from "../printers/tab-writer.ts"

export const apiResources = defineKubectlCommand({
  name: "api-resources",
  summary: "Print the supported API resources on the server",
  flags: [
    flag.text("api-group", "Limit to resources in the specified API group."),
    flag.bool("cached", "Use the cached list of resources if available."),
    flag.csv("categories", "Limit to resources that belong to the specified categories."),
    flag.bool("namespaced", {
      default: "true",
      help: "If false, non-namespaced resources will be returned, otherwise returning namespaced resources by default.",
    }),
    flag.bool(
      "no-headers",
      "When using the default or custom-column output format, don't print headers (default print headers).",
    ),
    flag.text("output", { short: "o", help: "Output format. One of: (json, yaml, kyaml, name, wide)." }),
    flag.text(
      "sort-by",
      "If non-empty, sort list of resources using specified field. The field can be either 'name' or 'kind'.",
    ),
    flag.csv("verbs", "Limit to resources that support the specified verbs."),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    if (ctx.args.length > 0) throw new UsageError(ctx.path, `unexpected arguments: [${ctx.args.join(" ")}]`)
    const output = flags.text("output")
    if (!["", "wide", "name"].includes(output)) throw new Error(`--output ${output} is not available`)
    const sortBy = flags.text("sort-by")
    if (!["", "name", "kind"].includes(sortBy)) throw new Error(`--sort-by accepts only name or kind`)
    const discovery = await ctx.factory.discovery()
    if (!flags.bool("cached")) await discovery.refresh()
    const group = flags.text("api-group")
    const preferred = (await discovery.groups()).flatMap((one) => preferredResources(one.versions))
    const shown = preferred.filter(
      (one) =>
        (!flags.changed("api-group") || one.group === group) &&
        (!flags.changed("namespaced") || one.namespaced === flags.bool("namespaced")) &&
        flags.list("verbs").every((verb) => one.verbs.includes(verb)) &&
        flags.list("categories").every((category) => one.categories.includes(category)) &&
        one.verbs.length > 0,
    )
    const order = (one: ApiResource): string =>
      sortBy === "kind"
        ? `${one.kind}\0${one.plural}`
        : sortBy === "name"
          ? one.plural
          : `${one.group}\0${one.plural}`
    const sorted = shown.toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
    const writer = new TabWriter(tableTabs, ctx.out)
    const wide = output === "wide"
    if (output === "")
      writer.write(flags.bool("no-headers") ? "" : "NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND\n")
    if (wide && !flags.bool("no-headers"))
      writer.write("NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND\tVERBS\tCATEGORIES\n")
    for (const one of sorted) {
      const full = one.group ? `${one.plural}.${one.group}` : one.plural
      const apiVersion = one.group ? `${one.group}/${one.version}` : one.version
      const row = [one.plural, one.shortNames.join(","), apiVersion, one.namespaced, one.kind]
      if (wide) row.push(one.verbs.toSorted().join(","), one.categories.join(","))
      writer.write(output === "name" ? `${full}\n` : `${row.join("\t")}\n`)
    }
    writer.flush()
  },
})

/** Each resource in the first version that has it. */
function preferredResources(
  versions: readonly { readonly resources: readonly ApiResource[] }[],
): ApiResource[] {
  const seen = new Map<string, ApiResource>()
  for (const { resources } of versions) {
    for (const one of resources) if (!seen.has(one.plural)) seen.set(one.plural, one)
  }
  return [...seen.values()]
}
