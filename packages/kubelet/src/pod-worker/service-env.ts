/**
 * Services as environment variables, in the form of Docker's links too.
 * Mirrors: pkg/kubelet/envvars/envvars.go
 */
import type { Service } from "@knarr/api"

/** The variables of the services that have an address, in their order. */
export function serviceEnv(services: readonly Readonly<Service>[]): [name: string, value: string][] {
  const out: [string, string][] = []
  for (const service of services) {
    const ip = service.spec.clusterIP
    if (!ip || ip === "None") continue
    const { ports = [] } = service.spec
    const name = variableName(service.metadata.name)
    out.push([`${name}_SERVICE_HOST`, ip], [`${name}_SERVICE_PORT`, String(ports[0]?.port ?? "")])
    for (const port of ports)
      if (port.name) out.push([`${name}_SERVICE_PORT_${variableName(port.name)}`, String(port.port)])
    for (const [i, port] of ports.entries()) {
      const protocol = port.protocol ?? "TCP"
      const url = `${protocol.toLowerCase()}://${ip.includes(":") ? `[${ip}]` : ip}:${port.port}`
      if (i === 0) out.push([`${name}_PORT`, url])
      const prefix = `${name}_PORT_${port.port}_${protocol.toUpperCase()}`
      out.push(
        [prefix, url],
        [`${prefix}_PROTO`, protocol.toLowerCase()],
        [`${prefix}_PORT`, String(port.port)],
        [`${prefix}_ADDR`, ip],
      )
    }
  }
  return out
}

function variableName(text: string): string {
  return text.replaceAll("-", "_").toUpperCase()
}
