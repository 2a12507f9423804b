/**
 * The API server without a port: registry, authentication, authorisation, admission, discovery, and the objects
 * that every cluster begins with. Runs on any clock and does no I/O but the store's.
 */
import {
  apiService,
  clusterRole,
  clusterRoleBinding,
  customResourceDefinition,
  ipAddress,
  role,
  roleBinding,
} from "@knarr/api"
import { decodeObject, type Kind, type KubeObject, strictErrorMessage } from "@knarr/apimachinery"
import type { Env, KeyPair, Scope } from "@knarr/base"
import { type Client, usingConfigFile } from "@knarr/client"
import type { Store } from "@knarr/store"
import { createPodCertificateSignCheck } from "./admission/certificates.admission.ts"
import { createAdmission } from "./admission/chain.ts"
import { readAdmissionConfiguration } from "./admission/config-file.ts"
import { admissionOrder } from "./admission/order.ts"
import { Aggregator } from "./aggregator/aggregator.ts"
import type { HostedVersion } from "./aggregator/hosted.ts"
import { createAuthenticator, type Authenticator, type FurtherAuthenticators } from "./authn/authenticator.ts"
import { BootstrapTokens } from "./authn/bootstrap-tokens.ts"
import { FrontProxyUsers, type RequestHeaderOptions } from "./authn/front-proxy.ts"
import type { AnonymousConfig } from "./authn/jwt/config.ts"
import { StructuredAuthentication, type StructuredOptions } from "./authn/jwt/structured.ts"
import { markTokenUsed } from "./authn/mark-token-used.ts"
import { type LegacyTokens, ServiceAccountTokens } from "./authn/service-account-tokens.ts"
import { TokenUses } from "./authn/token-uses.ts"
import { TokenSigner, type SigningKeyOptions } from "./authn/token-signer.ts"
import { WebhookTokens, type WebhookTokensOptions } from "./authn/webhook-tokens.ts"
import { loopbackUser } from "./authn/users.ts"
import { ClientCertificates } from "./authn/x509.ts"
import { createAuthorizer, type NamedAuthorizer } from "./authz/authorizer.ts"
import { createEscalationCheck } from "./authz/escalation.ts"
import { NodeAuthorizer } from "./authz/node.ts"
import { NodeGraph } from "./authz/node-graph.ts"
import { Rbac } from "./authz/rbac.ts"
import { StructuredAuthorization, type StructuredAuthorizationOptions } from "./authz/structured.ts"
import { bootstrap, builtInApiServices, nodeRules } from "./bootstrap/bootstrap.ts"
import { canBeReached, ensureKubernetesEndpoints } from "./bootstrap/kubernetes-endpoints.ts"
import { ServerLease } from "./bootstrap/server-lease.ts"
import type { AdmissionDeps, AdmissionPlugin, Authorizer, UserInfo } from "./contract.ts"
import { CustomResources } from "./crd/custom-resources.ts"
import { EncryptedStore } from "./encryption/encrypted-store.ts"
import { Encryption, type EncryptionOptions } from "./encryption/encryption.ts"
import { reviewHandlers } from "./endpoints/reviews.ts"
import { tokenHandler } from "./endpoints/token-request.ts"
import { createLoopbackClient } from "./loopback-client.ts"
import { createOutbound } from "./outbound/call.ts"
import { createServiceResolver, type ServiceRouting } from "./outbound/service-resolver.ts"
import { convertObject } from "./registry/convert.ts"
import { setObjectDefaults } from "./registry/defaults.ts"
import { runCompaction } from "./registry/compaction.ts"
import { Registry } from "./registry/registry.ts"
import type { HealthCheck } from "./server/health.ts"
import type { StorageFormat } from "./registry/stored-form.ts"
import { keepIPAddresses } from "./registry/service/ip-addresses.ts"

export interface ServiceAccountOptions extends SigningKeyOptions {
  /** What tokens are for; default: the issuers. */
  readonly audiences?: readonly string[] | undefined
  /** Default true: see {@link tokenHandler}. */
  readonly extendExpiration?: boolean | undefined
  /** How long tokens last at the most that somebody asks for; default: as long as he asks. */
  readonly maxExpirationSeconds?: number | undefined
  /** Where the keys are that check tokens, as the issuer says; default: this server. */
  readonly jwksUri?: string | undefined
}

export interface ControlPlaneOptions {
  readonly env: Env
  readonly store: Store
  /** How objects are stored; default `stamped`, which no kube-apiserver reads. */
  readonly storageFormat?: StorageFormat | undefined
  readonly kinds: readonly Kind[]
  readonly scope: Scope
  readonly serviceAccounts: ServiceAccountOptions
  /** Networks of Service addresses, one or one of each family. Default `10.96.0.0/12`. */
  readonly serviceCIDRs?: readonly string[] | undefined
  readonly nodePorts?: { readonly first: number; readonly last: number } | undefined
  /** Where other machines and pods reach this server; without it the `kubernetes` Service has no endpoints. */
  readonly advertise?: { readonly address: string; readonly port: number } | undefined
  /** PEM of the authority of client certificates. */
  readonly clientCA?: string | undefined
  /** Proxies that say for whom they ask. */
  readonly requestHeader?: RequestHeaderOptions | undefined
  /** PEM: who this server is to aggregated servers. Asked with each request. Default: nobody. */
  readonly frontProxyClient?: (() => KeyPair) | undefined
  readonly admission?:
    | {
        readonly enable?: readonly string[]
        readonly disable?: readonly string[]
        /** The file with the plugins' configurations. */
        readonly configFile?: string | undefined
        /** See {@link AdmissionDeps}. */
        readonly tolerationSeconds?: AdmissionDeps["tolerationSeconds"]
        /** The plugins in their order, made of the server's own; default: these. */
        readonly plugins?: (own: readonly AdmissionPlugin[]) => readonly AdmissionPlugin[]
      }
    | undefined
  /** How programs in the cluster are called. Default `clusterIP`, as upstream. */
  readonly serviceRouting?: ServiceRouting | undefined
  /** How objects are encrypted in the store; default: not at all. */
  readonly encryption?: EncryptionOptions | undefined
  /** How long the store keeps history at the least, in milliseconds; default 300,000 (5 minutes); 0: until others forget it. */
  readonly compactionIntervalMs?: number | undefined
  /** For how long objects that end by themselves are given the same lease; default 60. */
  readonly leaseReuseSeconds?: number | undefined
  /** How long events stay; default 3600. */
  readonly eventTtlSeconds?: number | undefined
  /** How long a watch lasts at the least when it does not say, and at the most twice as long; default 1,800,000. */
  readonly watchTimeoutMs?: number | undefined
  /** The chain of authorizers as a configuration says it, in place of `authorizers`. */
  readonly authorization?: StructuredAuthorizationOptions | undefined
  /** The chain of authorizers, made of the server's own (`node`, `rbac`); default: these. */
  readonly authorizers?: ((own: readonly NamedAuthorizer[]) => readonly NamedAuthorizer[]) | undefined
  /** A program that knows tokens. */
  readonly webhookTokens?: WebhookTokensOptions | undefined
  /** Whether Secrets of bootstrap tokens name users. Default false. */
  readonly bootstrapTokens?: boolean | undefined
  /** Issuers of tokens beside the server itself: a configuration file, or what one would say. */
  readonly authentication?: Omit<StructuredOptions, "ours"> | undefined
  /** Default true, or what the configuration of authentication says. */
  readonly anonymous?: boolean | undefined
  /** Bearer tokens with fixed users. */
  readonly staticTokens?: ReadonlyMap<string, UserInfo> | undefined
  readonly authenticators?: FurtherAuthenticators | undefined
  /** Groups of which nothing is stored; default: none. */
  readonly hosted?: ((registry: Registry) => readonly HostedVersion[]) | undefined
}

export interface ControlPlane {
  readonly registry: Registry
  readonly authorizer: Authorizer
  readonly rbac: Rbac
  readonly authenticator: Authenticator
  readonly certificates: ClientCertificates
  readonly signer: TokenSigner
  /** Groups of other servers; undefined where APIServices are not served. */
  readonly aggregator: Aggregator | undefined
  /** Of parts that the server stands on. */
  readonly healthChecks: readonly HealthCheck[]
  /** A client that acts as `user`; default: the server itself, who may do everything. */
  client(user?: UserInfo): Client
  /** Brings in what every cluster begins with. Resolves when it is there. */
  bootstrap(): Promise<void>
  /** True when {@link bootstrap} is done. */
  readonly bootstrapped: boolean
}

export const defaultServiceCIDR = "10.96.0.0/12"
const defaultCompactionIntervalMs = 300_000

/** Loads the caches and puts the parts together. `bootstrap()` is left to the caller, who may open a port first. */
export async function createControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { env, kinds, scope } = options
  const encryption =
    options.encryption &&
    // What is at work when the server stops still writes.
    (await usingConfigFile(
      options.encryption.configFile,
      Encryption.start(options.encryption, env, scope.child("encryption", { lasting: true })),
    ))
  const store = encryption
    ? new EncryptedStore(options.store, (key) => {
        const kind = registry.follower.cacheOf(key)?.kind
        return kind && encryption.of(kind)
      })
    : options.store
  const serviceCIDRs = options.serviceCIDRs ?? [defaultServiceCIDR]
  const registry: Registry = new Registry({
    env,
    store,
    kinds,
    storageFormat: options.storageFormat,
    leaseReuseSeconds: options.leaseReuseSeconds,
    ttlSeconds: options.eventTtlSeconds,
    watchTimeoutMs: options.watchTimeoutMs,
    serviceNetwork: { cidrs: serviceCIDRs, ...(options.nodePorts ? { nodePorts: options.nodePorts } : {}) },
  })
  // Requests that are at work when the server stops still need the caches: they end after the port.
  await registry.start(scope.child("registry", { lasting: true }))
  if (encryption) keepDecrypting(encryption, registry, env, scope)
  const intervalMs = options.compactionIntervalMs ?? defaultCompactionIntervalMs
  if (intervalMs > 0)
    scope.run(
      "compaction",
      (signal) =>
        runCompaction({ store, env, intervalMs, compacted: (at) => registry.forgetHistory(at) }, signal),
      { restart: true },
    )

  const rbac = new Rbac(registry)
  for (const kind of [role, roleBinding, clusterRole, clusterRoleBinding]) {
    if (registry.serves(kind)) scope.use(registry.onChange(kind, () => rbac.invalidate()))
  }
  const own: readonly NamedAuthorizer[] = [
    { name: "node", authorizer: new NodeAuthorizer(scope.use(new NodeGraph(registry)), nodeRules()) },
    { name: "rbac", authorizer: rbac },
  ]
  const authorizer = options.authorization
    ? await usingConfigFile(
        "file" in options.authorization ? options.authorization.file : undefined,
        StructuredAuthorization.start(options.authorization, own, env, scope),
      )
    : createAuthorizer(options.authorizers?.(own) ?? own)
  const signer = new TokenSigner(options.serviceAccounts)
  const audiences = options.serviceAccounts.audiences ?? options.serviceAccounts.issuers
  const certificates = new ClientCertificates(env.clock, options.clientCA)
  const legacyTokens: LegacyTokens = {
    audiences,
    markUsed: (holder, label, today) => markTokenUsed({ client: client(), scope }, holder, label, today),
  }
  const structured =
    options.authentication &&
    (await usingConfigFile(
      options.authentication.file,
      StructuredAuthentication.start(
        { ...options.authentication, ours: options.serviceAccounts.issuers },
        env,
        scope,
      ),
    ))
  const authenticator = createAuthenticator({
    log: env.log,
    certificates,
    serviceAccountTokens: new ServiceAccountTokens(
      signer,
      registry,
      env.clock,
      legacyTokens,
      new TokenUses(env.meter),
    ),
    audiences,
    anonymous: structured?.anonymous ? pathsOf(structured.anonymous) : options.anonymous,
    staticTokens: options.staticTokens,
    further: {
      ...options.authenticators,
      requests: [
        ...(options.requestHeader ? [new FrontProxyUsers(env.clock, options.requestHeader)] : []),
        ...(options.authenticators?.requests ?? []),
      ],
      tokens: [
        ...(options.bootstrapTokens ? [new BootstrapTokens(registry, env.clock)] : []),
        ...(structured ? [structured] : []),
        ...(options.webhookTokens
          ? [scope.use(await WebhookTokens.open(options.webhookTokens, env, audiences))]
          : []),
        ...(options.authenticators?.tokens ?? []),
      ],
    },
  })
  let aggregator: Aggregator | undefined
  const client = (user: UserInfo = loopbackUser): Client =>
    createLoopbackClient({ registry, user, authorizer, userAgent: "kube-apiserver", elsewhere: aggregator })
  const reader: Pick<AdmissionDeps, "get" | "list"> = {
    get: (kind, ref) => (registry.serves(kind) ? registry.get(kind, ref) : undefined),
    list: (kind, namespace) => (registry.serves(kind) ? registry.list(kind, namespace) : []),
  }
  const resolve = createServiceResolver(reader, env.random, options.serviceRouting ?? "clusterIP")
  if (registry.serves(apiService)) {
    const identity = (): KeyPair | undefined => options.frontProxyClient?.()
    const hosted = options.hosted?.(registry) ?? []
    aggregator = new Aggregator(
      { env, registry, client: client(), resolve, authorizer, identity, hosted },
      scope,
    )
  }
  const outbound = scope.use(createOutbound({ clock: env.clock, meter: env.meter, resolve }))
  const { configFile } = options.admission ?? {}
  const configurations = configFile
    ? await usingConfigFile(configFile, readAdmissionConfiguration(configFile))
    : undefined
  const admission = await createAdmission({
    deps: {
      env,
      ...reader,
      authorize: (user, attributes, request) => authorizer.authorize(user, attributes, request),
      updateStatus: async (kind, object) => {
        await client().update(kind, object, { subresource: "status", signal: scope.signal })
      },
      create: (kind, object) => client().create(kind, object as never, { signal: scope.signal }),
      convert: (object, to) => convertObject(registry, object, to),
      versionsOf: (kind) =>
        registry.serves(kind) ? [...registry.storage(kind).view.resource.served] : [kind],
      kindNamed: ({ group, version, kind }) => registry.findKind(group, version, kind)?.kind,
      follow: (kind, changed) => {
        if (registry.serves(kind)) scope.use(registry.onChange(kind, changed))
      },
      decode(kind, document, { strict = false } = {}) {
        const { object, strictErrors } = decodeObject<KubeObject>(kind.schema, document, { strict })
        if (strictErrors.length > 0) throw new Error(strictErrorMessage(strictErrors))
        setObjectDefaults(kind, object, env.clock.now())
        return object
      },
      tolerationSeconds: options.admission?.tolerationSeconds,
      call: outbound.call,
      background: (name, work) => scope.run(name, work, { restart: true }),
    },
    plugins: options.admission?.plugins?.(admissionOrder) ?? admissionOrder,
    enable: options.admission?.enable,
    disable: options.admission?.disable,
    configurations,
    always: [createEscalationCheck(rbac, authorizer), createPodCertificateSignCheck(authorizer)],
  })
  registry.useAdmission(admission)
  const { extendExpiration, maxExpirationSeconds } = options.serviceAccounts
  for (const handler of [
    ...reviewHandlers({ clock: env.clock, authorizer, authenticator }),
    tokenHandler(registry, { env, signer, audiences, extendExpiration, maxExpirationSeconds }),
  ])
    registry.handlers.add(handler)
  if (kinds.includes(customResourceDefinition))
    await new CustomResources({ env, registry, client: client(), call: outbound.call }).start(
      scope.child("custom resources"),
    )

  let bootstrapped = false
  return {
    registry,
    authorizer,
    rbac,
    authenticator,
    certificates,
    signer,
    aggregator,
    healthChecks: encryption?.healthChecks() ?? [],
    client,
    get bootstrapped() {
      return bootstrapped
    },
    async bootstrap() {
      const { address, port } = options.advertise ?? {}
      const reached = address !== undefined && port !== undefined && canBeReached(address)
      // Of a store that is not shared this is the only server.
      const lease =
        reached && options.storageFormat === "shared" ? new ServerLease(store, address) : undefined
      const addresses = lease ? await lease.renew() : reached ? [address] : []
      await bootstrap({
        env,
        client: client(),
        reader: registry,
        kinds,
        serviceCIDRs,
        advertise: port === undefined ? undefined : { addresses, port },
        clientCA: options.clientCA,
        requestHeader: options.requestHeader,
        signal: scope.signal,
      })
      await aggregator?.start(builtInApiServices(kinds), scope.child("aggregator"))
      if (lease)
        scope.run("addresses of the servers", (signal) => {
          const endpoints = { client: client(), reader: registry, kinds, signal }
          return lease.keep(env, (all) => ensureKubernetesEndpoints(endpoints, all, port!), signal)
        })
      const book = registry.serviceBooks?.addresses
      if (book && registry.serves(ipAddress)) await keepIPAddresses({ env, registry, book, scope })
      bootstrapped = true
    },
  }
}

/** How long after a failed try to decrypt an object the next one follows. */
const decryptAgainMs = 5000

/** Objects that cannot be decrypted are served once they can: their plugin answers, or there is another configuration. */
function keepDecrypting(encryption: Encryption, registry: Registry, env: Env, scope: Scope): void {
  const again = (): Promise<void> => registry.follower.recover()
  encryption.onReload = () => scope.run("objects of another encryption", again, { contained: true })
  scope.run(
    "objects that cannot be decrypted",
    async (signal) => {
      for (;;) {
        await env.clock.sleep(decryptAgainMs, signal)
        await again()
      }
    },
    { restart: true },
  )
}

function pathsOf({ enabled, conditions = [] }: AnonymousConfig): boolean | readonly string[] {
  return enabled && conditions.length > 0 ? conditions.map(({ path }) => path) : enabled
}
