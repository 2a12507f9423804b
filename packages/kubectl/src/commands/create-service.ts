/** `kubectl create service clusterip|nodeport|loadbalancer|externalname`. Mirrors: kubectl pkg/cmd/create/create_service.go */
import type { CommandContext, KubectlCommand } from "../command.ts"
import { flag } from "../flags.ts"
import type { Obj } from "../object.ts"
import { generator } from "./create-object.ts"

const tcpFlag = flag.csv("tcp", "Port pairs can be specified as '<port>:<targetPort>'.")

/** `8080:80` or `80` as a port. Throws with upstream's message. */
function parsePort(text: string): { port: number; targetPort: number | string } {
  const [port, target, ...more] = text.split(":")
  if (more.length > 0) throw new Error(`invalid port format`)
  const number = (value: string): number => {
    if (!/^\d+$/.test(value))
      throw new Error(`invalid port: strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`)
    return Number(value)
  }
  if (target === undefined) return { port: number(port!), targetPort: number(port!) }
  return { port: number(port!), targetPort: /^\d+$/.test(target) ? Number(target) : target }
}

function service(ctx: CommandContext, name: string, type: string, extra: Obj = {}): Obj {
  const { flags } = ctx
  const ports = flags.list("tcp").map((text) => ({
    name: text.replace(":", "-"),
    protocol: "TCP",
    ...parsePort(text),
    ...(flags.int("node-port") > 0 ? { nodePort: flags.int("node-port") } : {}),
  }))
  if (ports.length === 0 && extra["clusterIP"] !== "None" && type !== "ExternalName") {
    throw new Error("at least one tcp port specifier must be provided")
  }
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels: { app: name } },
    spec: { ...(ports.length > 0 ? { ports } : {}), selector: { app: name }, type, ...extra },
    status: { loadBalancer: {} },
  }
}

const clusterIP = generator({
  name: "clusterip",
  failure: "failed to create ClusterIP service: ",
  summary: "Create a ClusterIP service",
  usage: "NAME [--tcp=<port>:<targetPort>] [--dry-run=server|client|none]",
  flags: [
    tcpFlag,
    flag.text(
      "clusterip",
      "Assign your own ClusterIP or set to 'None' for a 'headless' service (no loadbalancing).",
    ),
  ],
  make: (ctx, name) => {
    const address = ctx.flags.text("clusterip")
    return service(ctx, name, "ClusterIP", address ? { clusterIP: address } : {})
  },
})

const nodePort = generator({
  name: "nodeport",
  failure: "failed to create NodePort service: ",
  summary: "Create a NodePort service",
  usage: "NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
  flags: [tcpFlag, flag.int("node-port", "Port used to expose the service on each node in a cluster.")],
  make: (ctx, name) => service(ctx, name, "NodePort"),
})

const loadBalancer = generator({
  name: "loadbalancer",
  failure: "failed to create LoadBalancer service: ",
  summary: "Create a LoadBalancer service",
  usage: "NAME [--tcp=port:targetPort] [--dry-run=server|client|none]",
  flags: [tcpFlag],
  make: (ctx, name) => service(ctx, name, "LoadBalancer"),
})

const externalName = generator({
  name: "externalname",
  failure: "failed to create ExternalName service: ",
  summary: "Create an ExternalName service",
  usage: "NAME --external-name external.name [--dry-run=server|client|none]",
  flags: [tcpFlag, flag.text("external-name", "External name of service")],
  make: (ctx, name) => {
    const external = ctx.flags.text("external-name")
    if (external === "") throw new Error('required flag(s) "external-name" not set')
    return service(ctx, name, "ExternalName", { externalName: external })
  },
})

export const createService: KubectlCommand = {
  name: "service",
  aliases: ["svc"],
  summary: "Create a service using a specified subcommand",
  usage: "",
  subcommands: [clusterIP, externalName, loadBalancer, nodePort],
}
