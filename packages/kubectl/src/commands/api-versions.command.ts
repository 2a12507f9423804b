/** `kubectl api-versions`. Mirrors: kubectl pkg/cmd/apiresources/apiversions.go */
import { defineKubectlCommand } from "../command.ts"
import { UsageError } from "../errors.ts"

export const apiVersions = defineKubectlCommand({
  name: "api-versions",
  summary: 'Print the supported API versions on the server, in the form of "group/version"',
  run: async (ctx) => {
    if (ctx.args.length > 0) throw new UsageError(ctx.path, `unexpected arguments: [${ctx.args.join(" ")}]`)
    const discovery = await ctx.factory.discovery()
    await discovery.refresh()
    const names = (await discovery.groups()).flatMap((group) =>
      group.versions.map(({ version }) => (group.name ? `${group.name}/${version}` : version)),
    )
    for (const name of names.toSorted()) ctx.out(`${name}\n`)
  },
})
