/**
 * Who may do what at the registry: nodes pull what they name; everything else needs the cluster's secret, as a bearer
 * token or as the password of anybody.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import { BlockList } from "node:net"

export interface RegistryAccessOptions {
  /** What whoever pushes must know. */
  readonly secret: string
  /** IPv4 networks of the nodes. */
  readonly nodeNetworks: readonly string[]
  /** Addresses at which the registry listens: the only ones, with `localhost`, that it answers to. */
  readonly addresses: readonly string[]
}

export class RegistryAccess {
  readonly #secret: Buffer
  readonly #nodes = new BlockList()
  readonly #hosts: ReadonlySet<string>

  constructor(options: RegistryAccessOptions) {
    this.#secret = digest(options.secret)
    for (const network of options.nodeNetworks) {
      const [address, prefix] = network.split("/") as [string, string]
      this.#nodes.addSubnet(address, Number(prefix), "ipv4")
    }
    this.#hosts = new Set(["localhost", ...options.addresses])
  }

  /** Whether the request names this registry: a page in a browser that was led here by a false name does not. */
  isForUs(request: IncomingMessage): boolean {
    const host = request.headers.host ?? ""
    const name = host.startsWith("[") ? host.slice(1, host.indexOf("]")) : host.split(":", 1)[0]!
    return this.#hosts.has(name.toLowerCase())
  }

  knowsSecret(request: IncomingMessage): boolean {
    const [scheme, value = ""] = (request.headers.authorization ?? "").split(" ", 2)
    switch (scheme!.toLowerCase()) {
      case "bearer":
        return this.#isSecret(value)
      case "basic": {
        const text = Buffer.from(value, "base64").toString("utf8")
        return this.#isSecret(text.slice(text.indexOf(":") + 1))
      }
      default:
        return false
    }
  }

  isNode(request: IncomingMessage): boolean {
    const address = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "")
    return address.includes(".") && this.#nodes.check(address, "ipv4")
  }

  #isSecret(text: string): boolean {
    return timingSafeEqual(digest(text), this.#secret)
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest()
}
