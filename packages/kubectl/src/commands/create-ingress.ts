/** `kubectl create ingress`. Mirrors: kubectl pkg/cmd/create/create_ingress.go */
import type { CommandContext, KubectlCommand } from "../command.ts"
import { flag } from "../flags.ts"
import type { Obj } from "../object.ts"
import { generator } from "./create-object.ts"

const ruleShape =
  /^(?<host>[\w*.-]*)(?<path>\/[^=]*)?=(?<service>[a-z0-9][a-z0-9-]*):(?<port>[\w-]+)(?:,(?<tls>tls(?:=[^,]+)?))?$/

function backend(service: string, port: string): Obj {
  return { service: { name: service, port: /^\d+$/.test(port) ? { number: Number(port) } : { name: port } } }
}

export const createIngress: KubectlCommand = generator({
  name: "ingress",
  failure: "failed to create ingress: ",
  aliases: ["ing"],
  summary: "Create an ingress with the specified name",
  usage: "NAME --rule=host/path=service:port[,tls[=secret]]",
  flags: [
    flag.text("class", "Ingress Class to be used"),
    flag.array(
      "rule",
      "Rule in format host/path=service:port[,tls=secretname]. Paths containing the leading character '*' are considered pathType=Prefix. tls argument is optional.",
    ),
    flag.text("default-backend", "Default service for backend, in format of svcname:port"),
    flag.array("annotation", "Annotation to insert in the ingress object, in the format annotation=value"),
  ],
  make: makeIngress,
})

function makeIngress(ctx: CommandContext, name: string): Obj {
  const { flags } = ctx
  const annotations: Record<string, string> = {}
  for (const text of flags.list("annotation")) {
    const equals = text.indexOf("=")
    if (equals < 0) throw new Error(`annotation ${text} is invalid and should be in format key=[value]`)
    annotations[text.slice(0, equals)] = text.slice(equals + 1)
  }
  const rules: Obj[] = []
  const tls: { hosts: string[]; secretName?: string }[] = []
  for (const text of flags.list("rule")) {
    const m = ruleShape.exec(text)?.groups
    if (!m)
      throw new Error(
        `rule ${text} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]`,
      )
    const path = m["path"] ?? "/"
    const prefix = path.endsWith("*")
    const entry = {
      path: prefix ? path.slice(0, -1) : path,
      pathType: prefix ? "Prefix" : "Exact",
      backend: backend(m["service"]!, m["port"]!),
    }
    const host = m["host"] ?? ""
    const rule = rules.find((one) => (one["host"] ?? "") === host)
    if (rule) rule["http"].paths.push(entry)
    else rules.push({ ...(host ? { host } : {}), http: { paths: [entry] } })
    if (m["tls"] === undefined) continue
    const secretName = m["tls"].split("=")[1]
    const known = tls.find((one) => one.secretName === secretName)
    if (!known) tls.push({ hosts: [host], ...(secretName ? { secretName } : {}) })
    else if (!known.hosts.includes(host)) known.hosts.push(host)
  }
  const fallback = flags.text("default-backend")
  if (rules.length === 0 && fallback === "")
    throw new Error(
      "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
    )
  const [service, port] = fallback.split(":")
  if (fallback !== "" && (!service || !port))
    throw new Error("default-backend should be in format servicename:serviceport")
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name, ...(Object.keys(annotations).length > 0 ? { annotations } : {}) },
    spec: {
      ...(flags.text("class") ? { ingressClassName: flags.text("class") } : {}),
      ...(fallback ? { defaultBackend: backend(service!, port!) } : {}),
      ...(tls.length > 0 ? { tls } : {}),
      ...(rules.length > 0 ? { rules } : {}),
    },
    status: { loadBalancer: {} },
  }
}
