/** `knarr envtest-assets`: prints the folder that suites for Go's envtest take as KUBEBUILDER_ASSETS. */
import { knarrHome } from "../cluster-home.ts"
import { ownCommand, writeAssets } from "../envtest/assets.ts"
import { clusterFlags } from "./cluster-flags.ts"
import { defineCommand } from "./command.ts"

export const envtestAssets = defineCommand({
  name: "envtest-assets",
  usage: "[--home DIR]",
  summary: "Print a folder of stand-ins for etcd, kube-apiserver and kubectl: KUBEBUILDER_ASSETS for envtest",
  flags: { home: clusterFlags.home },
  run({ flags }, ctx) {
    const home = knarrHome(flags["home"] as string | undefined, ctx.environment)
    ctx.print(`${writeAssets(home, ownCommand(), ctx.environment)}\n`)
    return Promise.resolve(0)
  },
})
