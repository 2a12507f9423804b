/** What commands work with, each made on first use: kubeconfig, connection, discovery, namespace. */
import { readFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { kubernetesVersion } from "@knarr/api"
import {
  createTransport,
  defaultKubeconfigFiles,
  loadKubeconfig,
  readKubeconfig,
  resolveContext,
  type Kubeconfig,
  type ResolvedContext,
  type TransportOptions,
} from "@knarr/client"
import { ApiClient } from "./api-client.ts"
import type { KubectlIo } from "./io.ts"
import { Discovery } from "./discovery.ts"
import type { Flags } from "./flags.ts"
import { ResourceMapper } from "./resource-mapper.ts"

const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

export class Factory implements Disposable {
  readonly #io: KubectlIo
  readonly #flags: Flags
  readonly #own: ReadonlySet<string>
  readonly #warnings = new Set<string>()
  #context: Promise<ResolvedContext> | undefined
  #api: Promise<ApiClient> | undefined
  #discovery: Promise<Discovery> | undefined
  #close: (() => void) | undefined

  /** Flags in `own` mean something else to the command than to the connection (`--user` of `create rolebinding`). */
  constructor(io: KubectlIo, flags: Flags, own: ReadonlySet<string> = new Set()) {
    this.#own = own
    this.#io = io
    this.#flags = flags
  }

  /** How many different warnings the server sent. */
  get warningCount(): number {
    return this.#warnings.size
  }

  kubeconfigFiles(): string[] {
    const given = this.#flags.text("kubeconfig")
    return given ? [given] : defaultKubeconfigFiles(this.#io.env)
  }

  /** The merged kubeconfig. Throws when the file of `--kubeconfig` is missing. */
  async kubeconfig(): Promise<Kubeconfig> {
    const given = this.#flags.text("kubeconfig")
    if (!given) return loadKubeconfig(this.kubeconfigFiles())
    try {
      return await readKubeconfig(given)
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException
      if (code === "ENOENT") throw new Error(`stat ${given}: no such file or directory`, { cause: thrown })
      throw new Error(`error loading config file "${given}": ${message}`, { cause: thrown })
    }
  }

  context(): Promise<ResolvedContext> {
    return (this.#context ??= this.#resolve())
  }

  /** The namespace to work in, and whether the user asked for it by flag. */
  async namespace(): Promise<{ namespace: string; explicit: boolean }> {
    const given = this.#flags.text("namespace")
    if (given) return { namespace: given, explicit: true }
    return { namespace: (await this.context()).namespace, explicit: false }
  }

  api(): Promise<ApiClient> {
    return (this.#api ??= this.#connect())
  }

  discovery(): Promise<Discovery> {
    return (this.#discovery ??= this.#discover())
  }

  async mapper(): Promise<ResourceMapper> {
    return new ResourceMapper(await this.discovery())
  }

  [Symbol.dispose](): void {
    this.#close?.()
  }

  async #resolve(): Promise<ResolvedContext> {
    const flags = this.#flags
    const config = await this.kubeconfig()
    const nothing = config.clusters.length === 0 && !flags.changed("server") && !flags.changed("kubeconfig")
    if (nothing && this.#io.env["KUBERNETES_SERVICE_HOST"]) return this.#inCluster()
    const given = (name: string): string | undefined =>
      flags.changed(name) && !this.#own.has(name) ? flags.text(name) : undefined
    const resolved = resolveContext(config, {
      context: given("context"),
      cluster: given("cluster"),
      user: given("user"),
      server: given("server"),
      token: given("token"),
      insecure: flags.changed("insecure-skip-tls-verify")
        ? flags.bool("insecure-skip-tls-verify")
        : undefined,
      userAgent: `kubectl/v${kubernetesVersion} (${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}) knarr`,
    })
    return { ...resolved, transport: this.#withFlags(resolved.transport) }
  }

  #inCluster(): ResolvedContext {
    const { env } = this.#io
    const read = (name: string): string => readFileSync(join(serviceAccountDir, name), "utf8")
    const host = env["KUBERNETES_SERVICE_HOST"]!
    const server = `https://${host.includes(":") ? `[${host}]` : host}:${env["KUBERNETES_SERVICE_PORT"] ?? "443"}`
    const transport: TransportOptions = {
      server,
      headers: () => ({ authorization: `Bearer ${read("token").trim()}` }),
      tls: () => ({ ca: read("ca.crt") }),
    }
    return {
      context: "",
      namespace: read("namespace").trim() || "default",
      cluster: { server },
      user: {},
      transport: this.#withFlags(transport),
    }
  }

  #withFlags(transport: TransportOptions): TransportOptions {
    const flags = this.#flags
    const file = (name: string): string | undefined =>
      flags.changed(name) ? readFileSync(flags.text(name), "utf8") : undefined
    const more: Record<string, string | string[]> = {}
    if (flags.changed("username") && !flags.changed("token")) {
      const pair = `${flags.text("username")}:${flags.text("password")}`
      more["authorization"] = `Basic ${Buffer.from(pair).toString("base64")}`
    }
    if (flags.changed("as")) more["impersonate-user"] = flags.text("as")
    if (flags.changed("as-group")) more["impersonate-group"] = flags.list("as-group")
    if (flags.changed("as-uid")) more["impersonate-uid"] = flags.text("as-uid")
    for (const extra of flags.list("as-user-extra")) {
      const [key, ...value] = extra.split("=")
      more[`impersonate-extra-${encodeURIComponent(key!)}`] = value.join("=")
    }
    const base = transport.headers
    const ca = file("certificate-authority")
    const cert = file("client-certificate")
    const key = file("client-key")
    return {
      ...transport,
      headers: () => ({ ...base?.(), ...(more as Record<string, string>) }),
      tls: () => ({
        ...transport.tls(),
        ...(ca ? { ca } : {}),
        ...(cert ? { cert } : {}),
        ...(key ? { key } : {}),
        ...(flags.changed("tls-server-name") ? { servername: flags.text("tls-server-name") } : {}),
      }),
    }
  }

  /** Of `--request-timeout`; 0: none. */
  get requestTimeoutMs(): number {
    const limit = this.#flags.text("request-timeout")
    return /^\d+$/.test(limit) ? Number(limit) * 1000 : this.#flags.duration("request-timeout")
  }

  async #connect(): Promise<ApiClient> {
    const transport = createTransport((await this.context()).transport)
    this.#close = () => transport[Symbol.dispose]()
    return new ApiClient({
      transport,
      clock: this.#io.clock,
      signal: this.#io.signal,
      timeoutMs: this.requestTimeoutMs,
      onWarning: (text) => {
        if (this.#warnings.has(text)) return
        this.#warnings.add(text)
        this.#io.stderr.write(`Warning: ${text}\n`)
      },
    })
  }

  async #discover(): Promise<Discovery> {
    const api = await this.api()
    const home = this.#io.env["HOME"] ?? homedir()
    const dir = this.#flags.text("cache-dir") || join(home, ".kube", "cache")
    const host = api.server.replace(/^https?:\/\//, "").replace(/[^A-Za-z0-9.-]/g, "_")
    return new Discovery({
      api,
      clock: this.#io.clock,
      cacheFile: join(dir, "knarr", host, "discovery.json"),
    })
  }
}
