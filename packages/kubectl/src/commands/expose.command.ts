/** `kubectl expose`. Mirrors: kubectl pkg/cmd/expose/expose.go */
import { parseJson } from "@knarr/base"
import {
  applyMergePatch,
  formatLabelSelector,
  goQuote,
  parseSelector,
  type JsonObject,
} from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { forEachInfo, selectInfos } from "../resources.ts"
import { dryRunFlag, fieldManagerFlag, fileFlags, printFlags } from "../shared-flags.ts"
import { createObject } from "../writes.ts"
import { podSpecOf } from "./set.command.ts"

const exposable = new Set(["Service", "ReplicationController", "Deployment", "ReplicaSet", "Pod"])

export const expose = defineKubectlCommand({
  name: "expose",
  summary:
    "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service",
  usage:
    "(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type]",
  flags: [
    ...fileFlags,
    ...printFlags,
    dryRunFlag,
    fieldManagerFlag("kubectl-expose"),
    flag.text(
      "cluster-ip",
      "ClusterIP to be assigned to the service. Leave empty to auto-allocate, or set to 'None' to create a headless service.",
    ),
    flag.text(
      "external-ip",
      "Additional external IP address (not managed by Kubernetes) to accept for the service.",
    ),
    flag.text("labels", { short: "l", help: "Labels to apply to the service created by this call." }),
    flag.text("load-balancer-ip", "IP to assign to the LoadBalancer."),
    flag.text("name", "The name for the newly created object."),
    flag.text("overrides", "An inline JSON override for the generated object."),
    flag.text(
      "port",
      "The port that the service should serve on. Copied from the resource being exposed, if unspecified",
    ),
    flag.text("protocol", "The network protocol for the service to be created. Default is 'TCP'."),
    flag.bool("save-config", "If true, the configuration of current object will be saved in its annotation."),
    flag.text("selector", "A label selector to use for this service."),
    flag.text(
      "session-affinity",
      "If non-empty, set the session affinity for the service to this; legal values: 'None', 'ClientIP'",
    ),
    flag.text(
      "target-port",
      "Name or number for the port on the container that the service should direct traffic to. Optional.",
    ),
    flag.text(
      "type",
      "Type for this service: ClusterIP, NodePort, LoadBalancer, or ExternalName. Default is 'ClusterIP'.",
    ),
  ],
  run: async (ctx) => {
    const dryRun = dryRunOf(ctx)
    const printer = await changePrinter(ctx, "exposed", dryRun)
    const found = await selectInfos(ctx, { args: ctx.args, latest: true, selector: "" })
    const mapper = await ctx.factory.mapper()
    const services = await mapper.resource("services")
    await forEachInfo(found, async (info) => {
      if (!exposable.has(info.resource.kind)) {
        const name = info.resource.group ? `${info.resource.kind}.${info.resource.group}` : info.resource.kind
        throw new Error(`cannot expose a ${name}`)
      }
      let service = serviceFor(ctx, info.object)
      const overrides = ctx.flags.text("overrides")
      if (overrides) service = applyMergePatch(service as JsonObject, parseJson(overrides))
      if (dryRun === "client") {
        const { typedFields } = await import("../printers/typed-json.ts")
        ctx.out(printer(ctx.flags.text("output") === "json" ? await typedFields(service) : service))
        return
      }
      const { namespace } = info
      const options = { dryRun, fieldManager: ctx.flags.text("field-manager") }
      ctx.out(
        printer(
          await createObject(await ctx.factory.api(), { resource: services, namespace }, service, options),
        ),
      )
    })
  },
})

interface Port {
  readonly port: number
  readonly protocol: string
}

function portsOf(obj: Obj): Port[] {
  if (obj["kind"] === "Service") {
    return ((at(obj, "spec", "ports") ?? []) as Obj[]).map((one) => ({
      port: one["port"] as number,
      protocol: one["protocol"] as string,
    }))
  }
  return ((podSpecOf(obj)?.["containers"] ?? []) as Obj[]).flatMap((container) =>
    ((container["ports"] ?? []) as Obj[]).map((one) => ({
      port: one["containerPort"] as number,
      protocol: (one["protocol"] ?? "TCP") as string,
    })),
  )
}

function selectorFor(obj: Obj): Record<string, string> {
  const kind = obj["kind"] as string
  const name = obj["metadata"].name as string
  if (kind === "Pod") {
    const labels = (obj["metadata"].labels ?? {}) as Record<string, string>
    if (Object.keys(labels).length === 0) throw new Error("the pod has no labels and cannot be exposed")
    return labels
  }
  if (kind === "Service") {
    const own = at(obj, "spec", "selector") as Record<string, string> | undefined
    if (!own) throw new Error("the service has no pod selector set")
    return own
  }
  if (kind === "ReplicationController") return at(obj, "spec", "selector") as Record<string, string>
  const selector = (at(obj, "spec", "selector") ?? {}) as Obj
  if (selector["matchExpressions"]?.length) {
    throw new Error(
      `couldn't convert expressions - ${goQuote(formatLabelSelector(selector))} to map-based selector format`,
    )
  }
  if (!selector["matchLabels"])
    throw new Error(`invalid ${kind.toLowerCase()} ${name}: no selectors, therefore cannot be exposed`)
  return selector["matchLabels"] as Record<string, string>
}

function equalityLabels(text: string): Record<string, string> {
  parseSelector(text)
  return Object.fromEntries(
    text.split(",").map((pair) => pair.split(/==?/).map((part) => part.trim()) as [string, string]),
  )
}

function serviceFor(ctx: CommandContext, obj: Obj): Obj {
  const { flags } = ctx
  const name = flags.text("name") || (obj["metadata"].name as string)
  if (name.length > 63) throw new Error(`invalid service name ${goQuote(name)}`)
  const selector = flags.text("selector") ? equalityLabels(flags.text("selector")) : selectorFor(obj)
  const labels = flags.text("labels")
    ? equalityLabels(flags.text("labels"))
    : (obj["metadata"].labels as Obj | undefined)
  const own = portsOf(obj)
  const given = flags.text("port")
  const headless = flags.text("cluster-ip") === "None"
  if (!given && own.length === 0 && !headless) {
    throw new Error(
      "couldn't find port via --port flag or introspection\nSee 'kubectl expose -h' for help and examples",
    )
  }
  const list = given ? given.split(",").map(Number) : own.map((one) => one.port)
  const target = flags.text("target-port")
  const ports = list.map((port, i) => {
    const protocol = flags.text("protocol") || own.find((one) => one.port === port)?.protocol || "TCP"
    const targetPort = target === "" ? port : /^\d+$/.test(target) ? Number(target) : target
    return { ...(list.length > 1 ? { name: `port-${i + 1}` } : {}), protocol, port, targetPort }
  })
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name,
      ...(obj["metadata"].namespace && ctx.flags.changed("namespace")
        ? { namespace: obj["metadata"].namespace as string }
        : {}),
      ...(labels && Object.keys(labels).length > 0 ? { labels } : {}),
    },
    spec: {
      ...(ports.length > 0 ? { ports } : {}),
      selector,
      ...(flags.text("cluster-ip") ? { clusterIP: flags.text("cluster-ip") } : {}),
      ...(flags.text("type") ? { type: flags.text("type") } : {}),
      ...(flags.text("external-ip") ? { externalIPs: [flags.text("external-ip")] } : {}),
      ...(flags.text("session-affinity") ? { sessionAffinity: flags.text("session-affinity") } : {}),
      ...(flags.text("load-balancer-ip") ? { loadBalancerIP: flags.text("load-balancer-ip") } : {}),
    },
    status: { loadBalancer: {} },
  }
}
