/**
 * In the place of kube-apiserver, for envtest: the API server alone, with a store in memory, certificates and keys from
 * where its flags say. Mirrors: pkg/controlplane/apiserver/options, apiserver pkg/server/options
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { kinds } from "@knarr/api"
import { startApiServer, type ApiServerOptions, type ServingCertificates } from "@knarr/apiserver"
import { createLogger, createPrivateKeyPem, Scope, type Env } from "@knarr/base"
import { untilAborted } from "@knarr/controller-kit"
import { flag, type FlagSpec, type Flags } from "@knarr/kubectl"
import { createMemoryStore } from "@knarr/store"
import { apiServerFlags, apiServerOptions, keepApiServerFlags } from "../api-server-flags/order.ts"
import { UsageError } from "../cluster-home.ts"
import { loadOpenApiDocs } from "../openapi-docs.ts"
import { passingPki } from "../pki.ts"
import type { StandIn } from "./stand-in.ts"

/** How long requests may take to end when it stops: tests wait for it. */
const shutdownGraceSeconds = 1

const own: readonly FlagSpec[] = [
  flag.int("secure-port", { default: "6443", help: "Where HTTPS is served." }),
  flag.text("bind-address", { default: "0.0.0.0" }),
  flag.text("advertise-address", "The endpoint of the service kubernetes. Default: the bind address."),
  flag.text("cert-dir", "Has apiserver.crt and apiserver.key; without them they are made, and kept nowhere."),
  flag.text("tls-cert-file"),
  flag.text("tls-private-key-file"),
  flag.text("client-ca-file", "The authority of client certificates."),
  flag.csv("service-cluster-ip-range", { help: "Networks of Service addresses. Default 10.0.0.0/24." }),
  flag.text("service-node-port-range", { default: "30000-32767" }),
  flag.array("service-account-issuer", { help: "Default https://kubernetes.default.svc.cluster.local." }),
  flag.array("service-account-key-file", "PEM keys that check tokens of service accounts."),
  flag.text("service-account-signing-key-file", "Default: a new key."),
  flag.csv("api-audiences", "Default: the issuers."),
  flag.bool("service-account-extend-token-expiration", { default: "true" }),
  flag.csv("enable-admission-plugins"),
  flag.csv("disable-admission-plugins"),
  flag.csv("authorization-mode", "AlwaysAllow, Node, RBAC. Default AlwaysAllow."),
  flag.bool("anonymous-auth", { default: "true" }),
  flag.text("token-auth-file", "Lines of token,user,uid,groups."),
  flag.int("max-requests-inflight", { default: "400" }),
  flag.int("max-mutating-requests-inflight", { default: "200" }),
  flag.duration("request-timeout", { default: "1m0s" }),
  flag.int("v", { help: "4 and more: log everything." }),
  flag.csv("etcd-servers", "Of no effect: objects are in memory, and end with the server."),
  flag.bool("allow-privileged", { default: "true", help: "They are allowed." }),
  flag.bool("watch-cache", { default: "true", help: "There is one." }),
  flag.bool("profiling", { default: "true", help: "Of no effect." }),
  ...[
    "etcd-prefix",
    "etcd-cafile",
    "etcd-certfile",
    "etcd-keyfile",
    "storage-backend",
    "storage-media-type",
  ].map((name) => flag.text(name, "Of no effect: nothing is stored in an etcd.")),
]
/** Further flags of the API server, which `knarr server` has too. */
const shared = Object.entries(apiServerFlags)
  .filter(([name]) => !own.some((spec) => spec.name === name))
  .map(([name, { type }]) => (type === "boolean" ? flag.bool(name) : flag.text(name)))

export const kubeApiServer: StandIn = Object.freeze<StandIn>({
  name: "kube-apiserver",
  flags: [...own, ...shared],
  async run(flags, ctx) {
    const env: Env = {
      ...ctx,
      log: createLogger({
        clock: ctx.clock,
        level: flags.int("v") >= 4 ? "debug" : "info",
        write: (line) => ctx.warn(line),
      }),
    }
    await using scope = new Scope("kube-apiserver", { env })
    const given = sharedOptions(flags)
    const options = optionsOf(flags, env)
    await startApiServer({
      ...given,
      ...options,
      admission: { ...given.admission, ...options.admission },
      ...{ env, scope, kinds, openApiDocs: loadOpenApiDocs, shutdownGraceSeconds },
      store: scope.use(createMemoryStore({ env })),
    })
    await untilAborted(ctx.signal)
  },
})

function sharedOptions(flags: Flags): Partial<ApiServerOptions> {
  const given = shared.filter(({ name }) => flags.changed(name))
  return apiServerOptions(
    keepApiServerFlags(
      Object.fromEntries(
        given.map(({ name, type }) => [name, type === "bool" ? flags.bool(name) : flags.text(name)]),
      ),
    ),
  )
}

type OwnOptions = Omit<ApiServerOptions, "env" | "scope" | "kinds" | "store">

function optionsOf(flags: Flags, env: Env): OwnOptions {
  const address = flags.text("bind-address")
  const port = flags.int("secure-port")
  const clientCA = readFile(flags, "client-ca-file")
  const [first = 0, last = 0] = flags.text("service-node-port-range").split("-").map(Number)
  if (!(first > 0 && first <= last && last <= 65_535))
    throw new UsageError(
      `--service-node-port-range ${flags.text("service-node-port-range")}: is no range of ports`,
    )
  return {
    port,
    bindAddresses: [address],
    advertise: { address: flags.text("advertise-address") || reachable(address), port },
    certificates: { ...certificatesOf(flags, env, address), clientCA },
    clientCA,
    serviceCIDRs: flags.changed("service-cluster-ip-range")
      ? flags.list("service-cluster-ip-range")
      : ["10.0.0.0/24"],
    nodePorts: { first, last },
    serviceAccounts: {
      signingKey: readFile(flags, "service-account-signing-key-file") ?? createPrivateKeyPem(),
      verificationKeys: flags.list("service-account-key-file").map(read),
      issuers: flags.changed("service-account-issuer")
        ? flags.list("service-account-issuer")
        : ["https://kubernetes.default.svc.cluster.local"],
      audiences: flags.changed("api-audiences") ? flags.list("api-audiences") : undefined,
      extendExpiration: flags.bool("service-account-extend-token-expiration"),
    },
    admission: {
      enable: flags.list("enable-admission-plugins"),
      disable: flags.list("disable-admission-plugins"),
    },
    authorizers: authorizersOf(
      flags.changed("authorization-mode") ? flags.list("authorization-mode") : ["AlwaysAllow"],
    ),
    anonymous: flags.bool("anonymous-auth"),
    staticTokens: tokensOf(readFile(flags, "token-auth-file") ?? ""),
    limits: {
      maxReading: flags.int("max-requests-inflight"),
      maxMutating: flags.int("max-mutating-requests-inflight"),
    },
    requestTimeoutSeconds: flags.duration("request-timeout") / 1000,
  }
}

/** An address that the server listens on, for others to call. */
function reachable(address: string): string {
  return address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address
}

function certificatesOf(flags: Flags, env: Env, address: string): ServingCertificates {
  const dir = flags.text("cert-dir")
  const certFile = flags.text("tls-cert-file") || join(dir, "apiserver.crt")
  const keyFile = flags.text("tls-private-key-file") || join(dir, "apiserver.key")
  if (flags.changed("tls-cert-file") || (dir !== "" && existsSync(certFile)))
    return { cert: read(certFile), key: read(keyFile) }
  const names = { dnsNames: ["localhost"], ipAddresses: [reachable(address)] }
  return passingPki(env, names, createPrivateKeyPem()).server
}

const knownModes = ["AlwaysAllow", "Node", "RBAC"]

function authorizersOf(modes: readonly string[]): ApiServerOptions["authorizers"] {
  for (const mode of modes)
    if (!knownModes.includes(mode))
      throw new UsageError(`--authorization-mode ${mode}: only ${knownModes.join(", ")} are here`)
  return (own) =>
    modes.map((mode) => {
      const name = mode.toLowerCase()
      const known = own.find((one) => one.name === name)
      return known ?? { name, authorizer: { authorize: () => ({ verdict: "allow", reason: "" }) } }
    })
}

/** Lines of `token,user,uid,"group1,group2"`. Mirrors: apiserver pkg/authentication/token/tokenfile */
function tokensOf(text: string): ApiServerOptions["staticTokens"] {
  const lines = text.split("\n").filter((line) => line.trim() !== "")
  return new Map(
    lines.map((line) => {
      const found = /^([^,]+),([^,]+),([^,]*)(?:,"?([^"]*)"?)?$/.exec(line.trim())
      if (!found) throw new UsageError("--token-auth-file: a line is not token,user,uid,groups")
      const [, token, name, uid, groups = ""] = found
      return [
        token!,
        { name: name!, uid: uid!, groups: ["system:authenticated", ...groups.split(",").filter(Boolean)] },
      ]
    }),
  )
}

function readFile(flags: Flags, name: string): string | undefined {
  const file = flags.text(name)
  return file === "" ? undefined : read(file)
}

function read(file: string): string {
  return readFileSync(file, "utf8")
}
