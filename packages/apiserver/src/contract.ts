/**
 * What the parts of the API server hand to one another. The path of a request:
 * `server/` (listener, filters) → `authn/` → `authz/` → `endpoints/` (verbs) → `admission/` → `registry/`.
 */
import type { TLSSocket } from "node:tls"
import type { PolicyRule } from "@knarr/api"
import type { FieldRequirement, Kind, KubeObject, LabelRequirement, UserInfo } from "@knarr/apimachinery"
import type { Env } from "@knarr/base"

export type { UserInfo }

/** What a URL asks for. Mirrors: apiserver pkg/endpoints/request/requestinfo.go */
export interface RequestInfo {
  readonly isResourceRequest: boolean
  readonly path: string
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`, or the HTTP verb in lower case for other paths. */
  readonly verb: string
  readonly apiGroup: string
  readonly apiVersion: string
  /** "" for all namespaces or cluster scope. */
  readonly namespace: string
  readonly resource: string
  readonly subresource: string
  /** "" for a collection. */
  readonly name: string
  /** What follows `/proxy`, decoded: "" or a path that begins with a slash. */
  readonly rest: string
  /** The deprecated words before the resource: `/api/v1/watch/…`, `/api/v1/proxy/…`. */
  readonly prefix: "" | "watch" | "proxy"
  /** Whether the resource stands behind `namespaces/<name>/`. */
  readonly inNamespace: boolean
  /** Path segments behind the resource: 0 for a collection, 1 for an object, 2 and more for what belongs to it. */
  readonly depth: number
}

/** One HTTP request and its answer, on HTTP/1.1 or HTTP/2. */
export interface Exchange {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Aborted when the client is gone or the server stops. */
  readonly signal: AbortSignal
  /** The whole body; rejects with the 413 StatusError past 3 MiB. */
  body(): Promise<Buffer>
  /** Adds a header to the answer, before it is sent. */
  setHeader(name: string, value: string): void
  /** Answers at once. */
  respond(status: number, contentType: string, body: Buffer | string): void
  /** Begins an answer in pieces. */
  stream(status: number, contentType: string): ResponseStream
  /** Default: the request is not recorded. */
  readonly audit?: RequestAudit | undefined
}

export interface ResponseStream {
  /**
   * False when the client does not keep up: wait for `drained` before writing much more. The buffer is never copied:
   * it must not change before `done` is called, which always happens.
   */
  write(chunk: Buffer, done?: (error?: Error | null) => void): boolean
  /** Bytes accepted and not yet handed to the kernel. */
  readonly pendingBytes: number
  drained(signal: AbortSignal): Promise<void>
  end(): void
  /** Breaks the connection off (HTTP/1.1) or resets the stream (HTTP/2): the answer is not complete. */
  abort(): void
}

/** What of a request says who sends it. */
export interface Credentials extends Cancellable {
  /** "" when there is none. */
  header(name: string): string
  readonly headers: Exchange["headers"]
  /** Names as they were written, and values, in turns: what is repeated is not joined. */
  readonly rawHeaders: readonly string[]
  /** Without the query. */
  readonly path: string
  readonly socket: TLSSocket | undefined
}

/** Credentials that are wrong, in words for logs and TokenReviews: others are asked, but nobody is anonymous with them. */
export interface Refused {
  readonly error: string
}

/**
 * One way to know who sends a request. Undefined: it brings nothing of this kind. A promise only where something is
 * waited for; it ends with the request, and what it rejects with counts as {@link Refused}.
 * Mirrors: apiserver pkg/authentication/authenticator/interfaces.go Request
 */
export interface RequestAuthenticator {
  authenticate(request: Credentials): UserInfo | Refused | undefined | Promise<UserInfo | Refused | undefined>
}

/** Who a token stands for, and for which of the audiences asked for; undefined: it says nothing about audiences. */
export interface TokenOwner {
  readonly user: UserInfo
  readonly audiences?: readonly string[] | undefined
}

/** As {@link RequestAuthenticator}, for bearer tokens. Mirrors: interfaces.go Token */
export interface TokenAuthenticator {
  authenticate(
    token: string,
    audiences: readonly string[],
    request: Cancellable,
  ): TokenOwner | Refused | undefined | Promise<TokenOwner | Refused | undefined>
}

/**
 * What a request that is recorded for audit is told while it is answered; requests that are not have none.
 * Mirrors: apiserver pkg/audit/context.go
 */
export interface RequestAudit {
  /** Says something of the request; it can be handed on by itself. */
  readonly annotate: Annotate
  /** Whether the documents that were sent, and answered, are recorded. */
  readonly takesRequest: boolean
  readonly takesResponse: boolean
  /** Names the object that a body holds. */
  refer(object: Readonly<KubeObject>): void
  /** The document that was sent, with its defaults; kept only if {@link takesRequest}. */
  request(document: unknown): void
  /** The document that is answered, as a value or as JSON; only a Status counts if not {@link takesResponse}. */
  response(content: Buffer | object): void
  /** As {@link response}, when the JSON was put together of {@link itemText}s. */
  responseText(text: string): void
  /** A part of a document as it is recorded. */
  itemText(content: Buffer | object): string
  /** The most characters of a document; longer ones are left out, which {@link tooLong} tells. */
  readonly maxDocument: number
  tooLong(): void
}

/** A request that passed authentication. */
export interface RequestContext {
  readonly user: UserInfo
  readonly info: RequestInfo
  readonly userAgent: string
  readonly signal: AbortSignal
  /** Texts for the answer's `Warning` headers. */
  readonly warnings: string[]
  /** Default: the request is not recorded. */
  readonly audit?: RequestAudit | undefined
}

export interface GroupVersionKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

export interface GroupVersionResource {
  readonly group: string
  readonly version: string
  readonly resource: string
}

/** What admission looks at. Mirrors: apiserver pkg/admission/interfaces.go */
export interface AdmissionAttributes {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT"
  /** The kind at whose path the request came. */
  readonly kind: Kind
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** What the client spoke, for those who match equivalent versions: the object's kind, and the path's resource. */
  readonly requestKind: GroupVersionKind
  readonly requestResource: GroupVersionResource
  /**
   * During `admit` a plugin may change it, or return another in its place; undefined on DELETE. For a subresource with
   * a kind of its own (binding, eviction): that object.
   */
  readonly object: KubeObject | undefined
  readonly oldObject: Readonly<KubeObject> | undefined
  readonly user: UserInfo
  readonly dryRun: boolean
  /** CreateOptions, UpdateOptions, DeleteOptions as sent; a connection has none. */
  readonly options: Readonly<Record<string, unknown>> | undefined
  readonly warnings: string[]
  /** Ends what a hook waits for. */
  readonly signal?: AbortSignal | undefined
  readonly reinvocation: Reinvocation
  /** Tells the audit log something; `key` is `<plugin>/<name>`. */
  readonly annotate: Annotate
}

/**
 * Adds an annotation to the audit event of a request, where the request is audited at `level` or above; default
 * `Metadata`. The first value of a key stays. Mirrors: apiserver pkg/admission/interfaces.go AddAnnotationWithLevel
 */
export type Annotate = (key: string, value: string, level?: "Metadata" | "Request") => void

/** Mirrors: apiserver pkg/admission/reinvocation.go */
export interface Reinvocation {
  /** Whether this is the second round of `admit`. */
  readonly again: boolean
  /** Asks for a second round, in which every plugin looks once more: the object was changed in a way that they must see. */
  request(): void
  /** What a plugin remembers from the first round. */
  readonly memory: Map<AdmissionHooks, unknown>
}

/** The attributes in the hands of the chain. */
export interface AdmissionRequest extends AdmissionAttributes {
  object: KubeObject | undefined
  readonly reinvocation: Reinvocation & {
    /** Begins the second round; false when nobody asked for it, or it has been. */
    begin(): boolean
  }
}

/** One admission plugin: one file. Importing it does nothing. */
export interface AdmissionPlugin {
  /** Upstream's name, for example `NamespaceLifecycle`. */
  readonly name: string
  readonly enabledByDefault: boolean
  /**
   * Makes the plugin for a server, with its part of the operator's configuration, parsed; throws an Error when that is
   * wrong. A hook throws a StatusError to refuse.
   */
  create(deps: AdmissionDeps, configuration?: unknown): AdmissionHooks
  /**
   * Reads the files that the configuration names; {@link create} is given what comes of it in its place. Rejects for what is
   * wrong.
   */
  prepare?(configuration: unknown, env: Pick<Env, "clock" | "random">): Promise<unknown>
}

export interface AdmissionHooks {
  handles(attributes: AdmissionAttributes): boolean
  /** May change `attributes.object`, or return the object that takes its place, decoded and defaulted. */
  admit?(attributes: AdmissionAttributes): void | KubeObject | Promise<void | KubeObject>
  validate?(attributes: AdmissionAttributes): void | Promise<void>
}

export interface TolerationSeconds {
  readonly notReady?: number | undefined
  readonly unreachable?: number | undefined
}

export interface AdmissionDeps {
  readonly env: Env
  /** Reads from the watch caches; undefined when there is no such object. Synchronous, consistent with what this server has committed. */
  get<T extends KubeObject>(
    kind: Kind<T>,
    ref: { namespace?: string | undefined; name: string },
  ): Readonly<T> | undefined
  list<T extends KubeObject>(kind: Kind<T>, namespace?: string): readonly Readonly<T>[]
  /** A hook that meets a promise passes it on; it ends with the request. */
  authorize(
    user: UserInfo,
    attributes: AuthorizationAttributes,
    request: Cancellable,
  ): Decision | Promise<Decision>
  /** Creates an object as the server itself. Rejects with StatusErrors. */
  create<T extends KubeObject>(kind: Kind<T>, object: T): Promise<T>
  /** Writes the status of an object as the server itself. Rejects with a conflict when the object is not the present one. */
  updateStatus<T extends KubeObject>(kind: Kind<T>, object: T): Promise<void>
  /** The object of a served kind in another version of it, a copy. A promise where the conversion waits for somebody. */
  convert(object: Readonly<KubeObject>, to: GroupVersionKind): KubeObject | Promise<KubeObject>
  /** The served versions of a kind's resource, the kind among them. */
  versionsOf(kind: Kind): readonly Kind[]
  /** The kind of that name; undefined when it is not served. */
  kindNamed(name: GroupVersionKind): Kind | undefined
  /** Calls `changed` after each change of the kind's objects, before anybody who waited for it goes on; never when the kind is not served. */
  follow(kind: Kind, changed: () => void): void
  /** An answer from outside as an object of the kind: decoded, defaulted. Throws for what is none, and when `strict` for unknown fields. */
  decode(kind: Kind, document: unknown, options?: { readonly strict?: boolean }): KubeObject
  /** How long pods stay on a node that is not ready or not reachable when they do not say; default 300 each. */
  readonly tolerationSeconds?: TolerationSeconds | undefined
  /** Posts to a program outside. */
  readonly call: OutboundCall
  /** Work beside the requests, begun anew when it fails; it ends with the server. */
  background(name: string, work: (signal: AbortSignal) => Promise<void>): void
}

/** The chain in `admission/order.ts`, as the registry calls it. */
export interface Admission {
  /** `attributes.object` is afterwards what was admitted. No promise when no plugin waits. */
  admit(attributes: AdmissionRequest): void | Promise<void>
  validate(attributes: AdmissionAttributes): void | Promise<void>
}

/** A service of the cluster, or any HTTPS URL. Mirrors: apiserver pkg/util/webhook/client.go ClientConfig */
export type OutboundTarget =
  | {
      readonly service: {
        readonly namespace: string
        readonly name: string
        /** Default 443. */
        readonly port?: number | undefined
        readonly path?: string | undefined
      }
    }
  | { readonly url: string }

export interface OutboundOptions {
  /** PEM; the only authorities that the server's certificate may be of. Default: the machine's. */
  readonly caBundle?: string | undefined
  readonly timeoutMs: number
  /** Default 3 MiB. */
  readonly maxAnswerBytes?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Who asks: a certificate and its key, PEM. Default: nobody. */
  readonly client?: { readonly cert?: string | undefined; readonly key?: string | undefined } | undefined
}

export interface OutboundAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/**
 * POSTs a JSON document and gives the whole answer, whatever its status; redirects are not followed. Rejects when there is
 * none in time, none from whom it should be, or one that is too long.
 */
export type OutboundCall = (
  target: OutboundTarget,
  body: string | Buffer,
  options: OutboundOptions,
  signal: AbortSignal,
) => Promise<OutboundAnswer>

/** Requirements of a selector; what could not be read of it is left out, which asks for more. */
export interface AskedSelector<Requirement> {
  readonly requirements: readonly Requirement[]
  readonly error?: string | undefined
}

/** What somebody wants to do. Mirrors: apiserver pkg/authorization/authorizer/interfaces.go Attributes */
export interface AuthorizationAttributes {
  readonly verb: string
  readonly apiGroup: string
  /** "*" for any. */
  readonly apiVersion: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** For requests that are not about resources. */
  readonly path: string
  readonly isResourceRequest: boolean
  /** What a list, watch or deletecollection is narrowed to; undefined when it is not. */
  readonly fieldSelector?: AskedSelector<FieldRequirement> | undefined
  readonly labelSelector?: AskedSelector<LabelRequirement> | undefined
}

/**
 * What an authorizer says. `allow` and `deny` are final; with `noOpinion` the next one is asked, and nobody's
 * opinion is a refusal.
 */
export interface Decision {
  readonly verdict: "allow" | "deny" | "noOpinion"
  /** "" for none. */
  readonly reason: string
  /** What went wrong meanwhile. Without `allow` the request fails with it. */
  readonly error?: Error | undefined
}

/** Who a request acts as. */
export interface Impersonated {
  readonly user: UserInfo
  /** The verb of the constrained mode that allowed it; "" when none did. */
  readonly constraint: string
}

/** Who waits: a request. Its signal is made when it is asked for; undefined when nothing ends it. */
export interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** Rules that a user has in a namespace, as far as an authorizer can list them. */
export interface UserRules {
  readonly rules: readonly PolicyRule[]
  readonly errors: readonly string[]
  /** Whether the user may do more than is listed. */
  readonly incomplete: boolean
}

/** Mirrors: apiserver pkg/authorization/authorizer/interfaces.go Authorizer, RuleResolver */
export interface Authorizer {
  /**
   * Answers at once where it can; a promise only where something is waited for, which ends with the request. What is
   * thrown fails the request: nobody else is asked.
   */
  authorize(
    user: UserInfo,
    attributes: AuthorizationAttributes,
    request: Cancellable,
  ): Decision | Promise<Decision>
  /** For SelfSubjectRulesReview; an authorizer without it lists nothing. */
  rulesFor?(user: UserInfo, namespace: string, request: Cancellable): UserRules | Promise<UserRules>
}
