/** `kubectl cluster-info`. Mirrors: kubectl pkg/cmd/clusterinfo/clusterinfo.go */
import { defineKubectlCommand } from "../command.ts"
import { at, type Obj } from "../object.ts"

export const clusterInfo = defineKubectlCommand({
  name: "cluster-info",
  summary: "Display cluster information",
  run: async (ctx) => {
    const api = await ctx.factory.api()
    const services = await api.get("/api/v1/namespaces/kube-system/services", {
      labelSelector: "kubernetes.io/cluster-service=true",
    })
    const color = ctx.io.isTTY?.stdout === true
    const line = (name: string, link: string): void =>
      ctx.out(
        `${color ? `\x1b[0;32m${name}\x1b[0m` : name} is running at ${color ? `\x1b[0;33m${link}\x1b[0m` : link}\n`,
      )
    line("Kubernetes control plane", api.server)
    for (const service of (services["items"] ?? []) as Obj[]) {
      const {
        name,
        namespace,
        labels = {},
      } = service["metadata"] as { name: string; namespace: string; labels?: Record<string, string> }
      const ports = (at(service, "spec", "ports") ?? []) as Obj[]
      const first = ports[0]
      const scheme = first?.["name"] === "https" || first?.["port"] === 443 ? "https:" : ""
      const target = `${scheme}${name}${first?.["name"] ? `:${first["name"]}` : scheme ? ":" : ""}`
      line(
        labels["kubernetes.io/name"] ?? name,
        `${api.server}/api/v1/namespaces/${namespace}/services/${target}/proxy`,
      )
    }
    ctx.out("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n")
  },
})
