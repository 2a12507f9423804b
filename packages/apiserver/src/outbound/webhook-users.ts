/**
 * Who the server is to the webhooks of its objects: a kubeconfig whose users are called by the webhooks' hosts.
 * Mirrors: apiserver pkg/util/webhook/authentication.go
 */
import { readKubeconfig, resolveContext, type Kubeconfig } from "@knarr/client"
import type { OutboundCall, OutboundOptions, OutboundTarget } from "../contract.ts"

type Credentials = Pick<OutboundOptions, "headers" | "client">
type Identity = Pick<ReturnType<typeof resolveContext>["transport"], "headers" | "tls">

export class WebhookUsers {
  readonly #config: Kubeconfig
  readonly #known = new Map<string, Identity>()

  private constructor(config: Kubeconfig) {
    this.#config = config
  }

  /** Rejects when the file cannot be read. */
  static async open(kubeConfigFile: string): Promise<WebhookUsers> {
    return new WebhookUsers(await readKubeconfig(kubeConfigFile))
  }

  /** The same calls, each with what identifies the server to the one that is called. */
  identified(call: OutboundCall): OutboundCall {
    return (target, body, options, signal) =>
      call(target, body, { ...options, ...this.#credentialsFor(hostOf(target)) }, signal)
  }

  #credentialsFor(host: string): Credentials {
    const name = this.#userFor(host)
    if (name === undefined) return {}
    let identity = this.#known.get(name)
    // The files that it names are read when they change.
    if (!identity) this.#known.set(name, (identity = resolveContext(this.#config, { user: name }).transport))
    const { cert, key } = identity.tls()
    return { headers: identity.headers?.(), ...(cert === undefined ? {} : { client: { cert, key } }) }
  }

  #userFor(host: string): string | undefined {
    const names = new Set(this.#config.users.map(({ name }) => name))
    const tried = [host, ...wildcards(host)]
    if (host.endsWith(":443")) {
      const bare = host.slice(0, -":443".length)
      tried.push(bare, ...wildcards(bare))
    }
    const found = [...tried, "*"].find((name) => names.has(name))
    if (found !== undefined) return found
    const { contexts, "current-context": current } = this.#config
    const user = contexts.find(({ name }) => name === current)?.context.user
    return user && names.has(user) ? user : undefined
  }
}

/** `*.b.c` and `*.c` for `a.b.c`. */
function wildcards(host: string): string[] {
  const steps = host.split(".")
  return steps.slice(1).map((_, at) => `*.${steps.slice(at + 1).join(".")}`)
}

/** With its port. */
function hostOf(target: OutboundTarget): string {
  if ("service" in target) {
    const { name, namespace, port = 443 } = target.service
    return `${name}.${namespace}.svc:${port}`
  }
  const { hostname, port } = new URL(target.url)
  return `${hostname}:${port || 443}`
}
