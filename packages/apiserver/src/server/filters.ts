/**
 * What every request passes before it reaches its handler: identity, in-flight bounds, time-out, impersonation,
 * authorisation; and what is counted about it. Mirrors: apiserver pkg/server/config.go DefaultBuildHandlerChain
 */
import { asError, messageOf, uuid, whenReady, type Env } from "@knarr/base"
import {
  badRequest,
  forbidden,
  goQuote,
  notFound,
  parseGoDuration,
  timeout,
  type Kind,
} from "@knarr/apimachinery"
import { Impersonation } from "../authn/impersonation.ts"
import type { Authenticator } from "../authn/authenticator.ts"
import { RequestAttributes } from "../authz/attributes.ts"
import { forbiddenError } from "../authz/forbidden.ts"
import { NoSeat, type Ticket } from "../fairness/level.ts"
import type { Fairness } from "../fairness/fairness.ts"
import type { Flow } from "../fairness/flow.ts"
import type { Auditor } from "../audit/auditor.ts"
import type { AuditRecord } from "../audit/record.ts"
import type { Authorizer, RequestAudit, RequestContext, RequestInfo, UserInfo } from "../contract.ts"
import type { Encodings } from "../encoding/encodings.ts"
import type { AccessMetrics } from "./access-metrics.ts"
import { Deadlines } from "./deadlines.ts"
import type { ServerExchange } from "./exchange.ts"
import type { InFlight } from "./in-flight.ts"
import type { RequestMetrics } from "./request-metrics.ts"
import { isLongRunning, isMutating, parseRequestInfo } from "./request-info.ts"
import { FilterFailure, PageNotFound } from "./refusals.ts"
import { respondError, respondFilterFailure, respondNotFound, respondText, toStatusError } from "./respond.ts"
import { needsCreate, refusalOfRoute } from "./routes.ts"

/** A handler may answer at once or later; what it throws becomes the answer. */
export type Handler = (exchange: ServerExchange, ctx: RequestContext) => void | Promise<void>

export interface FilterOptions {
  readonly env: Env
  readonly authenticator: Authenticator
  readonly authorizer: Authorizer
  readonly inFlight: InFlight
  readonly metrics: RequestMetrics
  readonly access: AccessMetrics
  /** Default: requests have the places of {@link inFlight} alone. */
  readonly fairness?: Fairness | undefined
  /** Default: nothing is recorded. */
  readonly auditor?: Auditor | undefined
  /** Default 60. */
  readonly requestTimeoutSeconds?: number | undefined
  /** Default: none. Mirrors: apiserver pkg/server/filters/hsts.go */
  readonly strictTransportSecurity?: readonly string[] | undefined
  /** Default 0. Mirrors: apiserver pkg/server/filters/goaway.go */
  readonly goawayChance?: number | undefined
  /** The kind that is served at a resource's path; undefined when there is none. */
  kindOf(info: RequestInfo): Kind | undefined
  /** Whether a group is the server's own: what definitions add to others is asked for by its path alone. */
  servesGroup(group: string): boolean
  /** In which failures may be told; default: the built-in ones. */
  readonly encodings?: Encodings | undefined
  readonly handler: Handler
  /** Who takes over requests to what another server answers for, their bodies unread; undefined: nobody. */
  elsewhere?(info: RequestInfo): Handler | undefined
}

/** What a request without an answer is told when its time is over. */
const timeoutMessage = "request did not complete within the allotted timeout"

class Context implements RequestContext {
  readonly user: UserInfo
  readonly info: RequestInfo
  readonly #exchange: ServerExchange

  constructor(user: UserInfo, info: RequestInfo, exchange: ServerExchange) {
    this.user = user
    this.info = info
    this.#exchange = exchange
  }

  get userAgent(): string {
    return this.#exchange.header("user-agent")
  }

  get signal(): AbortSignal {
    return this.#exchange.signal
  }

  get audit(): RequestAudit | undefined {
    return this.#exchange.audit
  }

  get warnings(): string[] {
    return this.#exchange.warnings
  }
}

function refusalOf(
  exchange: ServerExchange,
  options: FilterOptions,
  info: RequestInfo,
  elsewhere: Handler | undefined,
): Error | undefined {
  // Paths are not made clean: no handler begins with two slashes.
  if (exchange.path.startsWith("//")) return new PageNotFound()
  if (elsewhere) return undefined
  if (!info.isResourceRequest) return undefined
  const kind = options.kindOf(info)
  if (!kind && !options.servesGroup(info.apiGroup)) return new PageNotFound()
  const { subresource, name } = info
  if (kind?.rules === "structural" && subresource !== "" && !kind.subresources.has(subresource))
    return notFound({ group: kind.group, resource: kind.plural }, name)
  return refusalOfRoute(kind, exchange.method, info)
}

const noQuery: URLSearchParams = new URLSearchParams()

/**
 * Authenticates, impersonates and authorises, and refuses what has no route: the path alone has decided that, but
 * only who may ask is told. Throws StatusErrors and {@link FilterFailure}.
 */
function authorizeRequest(
  exchange: ServerExchange,
  options: FilterOptions,
  info: RequestInfo,
  impersonation: Impersonation,
  known: (user: UserInfo) => void | Promise<void>,
  elsewhere: Handler | undefined,
): RequestContext | Promise<RequestContext> {
  const refusal = refusalOf(exchange, options, info, elsewhere)
  const { access, authenticator, authorizer } = options
  const attributes = new RequestAttributes(info, exchange)
  const caller = access.authenticate(() => authenticator.authenticate(exchange))
  const goOn = (caller: UserInfo): RequestContext | Promise<RequestContext> =>
    whenReady(impersonation.ask(caller, exchange.headers, attributes, exchange), (other) => {
      if (other) exchange.audit?.impersonated(other)
      const user = other?.user ?? caller
      if (options.fairness) takeFlow(options.fairness, exchange, user, info)
      const decision = access.authorize(() => authorizer.authorize(user, attributes, exchange))
      return whenReady(decision, ({ verdict, reason, error }) => {
        if (exchange.audit) recordDecision(exchange.audit, verdict === "allow", reason, error)
        if (verdict !== "allow") {
          if (error) throw new FilterFailure(error.message, { cause: error })
          throw forbiddenError(user, attributes, reason)
        }
        if (refusal) throw refusal
        if (!needsCreate(info) || info.verb === "create") return new Context(user, info, exchange)
        return whenReady(
          authorizer.authorize(user, new RequestAttributes({ ...info, verb: "create" }, exchange), exchange),
          (create) => {
            if (create.verdict === "allow") return new Context(user, info, exchange)
            throw forbidden({ group: info.apiGroup, resource: info.resource }, info.name, create.reason)
          },
        )
      })
    })
  return whenReady(caller, (user) => {
    const wait = known(user)
    return wait ? wait.then(() => goOn(user)) : goOn(user)
  })
}

/** Says of which flow a request is, unless it lasts. Mirrors: apiserver pkg/server/filters/priority-and-fairness.go */
function takeFlow(fairness: Fairness, exchange: ServerExchange, user: UserInfo, info: RequestInfo): void {
  if (isLongRunning(info) && info.verb !== "watch") return
  const flow = fairness.flowOf(user, info)
  exchange.flow = flow
  exchange.setHeader("X-Kubernetes-PF-PriorityLevel-UID", flow.schema.level.spec.uid)
  exchange.setHeader("X-Kubernetes-PF-FlowSchema-UID", flow.schema.uid)
}

/** Mirrors: apiserver pkg/endpoints/filters/authorization.go */
function recordDecision(
  audit: RequestAudit,
  allowed: boolean,
  reason: string,
  error: Error | undefined,
): void {
  if (!allowed && error) return audit.annotate("authorization.k8s.io/reason", "internal error")
  audit.annotate("authorization.k8s.io/decision", allowed ? "allow" : "forbid")
  audit.annotate("authorization.k8s.io/reason", reason)
}

export interface Filters {
  /** What a listener hands its requests to. */
  handle(exchange: ServerExchange): void
  /** Ends what would otherwise last: watches, logs. */
  endLongRunning(reason: unknown): void
}

export function createFilters(options: FilterOptions): Filters {
  const { env, inFlight, metrics, auditor, goawayChance = 0 } = options
  const { clock, log, random } = env
  const limitMs = (options.requestTimeoutSeconds ?? 60) * 1000

  const deadlines = new Deadlines(clock, limitMs)
  const impersonation = new Impersonation(options.authorizer)
  const hsts = options.strictTransportSecurity?.join("; ") ?? ""
  const lasting = new Set<ServerExchange>()

  const handle = (exchange: ServerExchange): void => {
    const startedAt = clock.monotonic()
    let info: RequestInfo | undefined
    let leave: (() => void) | undefined
    let body: ReturnType<InFlight["bodyOf"]> | undefined
    let timer: Disposable | undefined
    let id = ""
    let isKnown = false
    let waitMs = limitMs / 4
    const receivedMs = auditor ? clock.now() : 0
    let elsewhere: Handler | undefined
    exchange.onFinished = () => {
      timer?.[Symbol.dispose]()
      leave?.()
      body?.end()
      lasting.delete(exchange)
      if (info) exchange.audit?.ended(isLongRunning(info))
      if (info) metrics.finished(exchange, info, (clock.monotonic() - startedAt) / 1000)
    }
    const known = (user: UserInfo): void | Promise<void> => {
      isKnown = true
      if (auditor)
        return record(auditor, exchange, auditor.begin(exchange, info!, user, id, receivedMs), info!)
    }
    const answerFailure = (thrown: unknown): void => {
      if (exchange.answered) {
        if (!exchange.aborted)
          log.error("A request failed after its answer had begun", thrown, { path: exchange.path })
        exchange.destroy()
        return
      }
      if (exchange.aborted && !("status" in asError(thrown))) {
        // Nobody is left to hear the answer, unless the time-out gave one.
        exchange.destroy()
        return
      }
      if (thrown instanceof PageNotFound) return respondNotFound(exchange)
      if (thrown instanceof FilterFailure) {
        log.error("A request could not be authorised", thrown.cause, { path: exchange.path })
        return respondFilterFailure(exchange, exchange.path + exchange.search, thrown)
      }
      const error = toStatusError(thrown)
      if (error !== thrown) {
        log.error("A request failed", thrown, { method: exchange.method, path: exchange.path })
        exchange.audit?.panicked(messageOf(thrown))
      }
      if (auditor && info && !isKnown && error.status.code === 401)
        recordUnknown(exchange, auditor.begin(exchange, info, undefined, id, receivedMs))
      respondError(exchange, error, options.encodings)
    }
    const fail = (thrown: unknown): void => {
      try {
        answerFailure(thrown)
      } catch (again) {
        log.error("A failure could not be answered", again, { path: exchange.path })
        exchange.destroy()
      }
    }
    exchange.onFailure = fail
    const enter = (ctx: RequestContext): void => {
      const run = (): void => {
        const answer = (elsewhere ?? options.handler)(exchange, ctx)
        if (answer) answer.catch(fail)
      }
      const refuse = (seconds: number): void => {
        exchange.setHeader("Retry-After", String(seconds))
        respondText(exchange, 429, "Too many requests, please try again later.\n")
      }
      const enterFlow = (fairness: Fairness, flow: Flow): void => {
        const sit = (ticket: Ticket): void => {
          inFlight.seated(ctx.info, 1)
          leave = () => {
            leave = undefined
            inFlight.seated(ctx.info, -1)
            fairness.leave(flow, ticket)
          }
          if (exchange.aborted) return leave()
          // A watch has its seats until it has begun.
          if (ctx.info.verb === "watch") afterAnswer(exchange, () => leave?.())
          run()
        }
        const failed = (thrown: unknown): void => {
          if (thrown instanceof NoSeat) refuse(fairness.retryAfter(flow))
          else fail(thrown)
        }
        let seat: Ticket | Promise<Ticket>
        try {
          seat = fairness.enter(flow, ctx.info, exchange, waitMs)
        } catch (thrown) {
          return failed(thrown)
        }
        if (seat instanceof Promise) seat.then(exchange.guard(sit), exchange.guard(failed))
        else sit(seat)
      }
      const { fairness } = options
      const { flow } = exchange
      if (isLongRunning(ctx.info)) return fairness && flow ? enterFlow(fairness, flow) : run()
      const begin = exchange.guard(() => {
        // Who is gone, or late, takes no place.
        if (exchange.aborted) return
        if (fairness && flow) return enterFlow(fairness, flow)
        leave = inFlight.enter(ctx.info, ctx.user)
        if (leave) run()
        else refuse(1)
      })
      if (elsewhere || !isMutating(ctx.info)) return begin()
      // A body that is slow to come holds no place; what is wrong with it is said by whoever wants it.
      body = inFlight.bodyOf(ctx.user)
      const { take } = body
      exchange.takeBody = (bytes) => {
        exchange.bodyBytes += bytes
        return take(bytes)
      }
      exchange.body().then(begin, begin)
    }
    try {
      id = auditId(exchange.header("audit-id")) ?? uuid(random)
      exchange.auditId = id
      exchange.setHeader("Audit-Id", id)
      if (hsts !== "") exchange.setHeader("Strict-Transport-Security", hsts)
      if (goawayChance > 0 && random.next() < goawayChance) exchange.sendAway()
      exchange.setHeader("Cache-Control", "no-cache, private")
      info = parseRequestInfo(
        exchange.method,
        exchange.path,
        exchange.search === "" ? noQuery : exchange.query,
      )
      if (!info.isResourceRequest && info.prefix !== "") return refuseUnread(exchange)
      const longRunning = isLongRunning(info)
      if (!longRunning) {
        const asked = timeoutOf(exchange)
        const ms = asked === undefined ? limitMs : Math.min(asked, limitMs)
        waitMs = ms / 4
        const onTime = exchange.guard(() => {
          const late = timeout(timeoutMessage, 0)
          if (exchange.answered) exchange.destroy()
          else respondError(exchange, late, options.encodings)
          exchange.abortSignal(late)
        })
        timer = ms === limitMs ? deadlines.set(startedAt, onTime) : clock.timer(ms, onTime)
      }
      if (longRunning) lasting.add(exchange)
      elsewhere = options.elsewhere?.(info)
      const ctx = authorizeRequest(exchange, options, info, impersonation, known, elsewhere)
      if (ctx instanceof Promise) ctx.then(exchange.guard(enter), fail)
      else enter(ctx)
    } catch (thrown) {
      fail(thrown)
    }
  }
  return {
    handle,
    endLongRunning(reason) {
      for (const exchange of lasting) exchange.abortSignal(reason)
    },
  }
}

/** Calls `told` when the answer begins, after who is told already. */
function afterAnswer(exchange: ServerExchange, told: () => void): void {
  const before = exchange.onAnswer
  exchange.onAnswer = (status) => {
    before?.(status)
    told()
  }
}

/** Begins to record a request. Throws when it has to be recorded and cannot be. */
function record(
  auditor: Auditor,
  exchange: ServerExchange,
  audit: AuditRecord | undefined,
  info: RequestInfo,
): void | Promise<void> {
  if (!audit) return
  exchange.audit = audit
  exchange.onAnswer = (status) => audit.began(status, isLongRunning(info))
  const check = (isRecorded: boolean): void => {
    if (isRecorded) return
    auditor.rejected()
    throw new FilterFailure("failed to store audit event")
  }
  const isRecorded = audit.received()
  return isRecorded instanceof Promise ? isRecorded.then(check) : check(isRecorded)
}

/** Of who is not known only the refusal is recorded. Mirrors: apiserver pkg/endpoints/filters/authn_audit.go */
function recordUnknown(exchange: ServerExchange, audit: AuditRecord | undefined): void {
  exchange.audit = audit
  exchange.onAnswer = (status) => {
    audit?.began(status, true)
    exchange.audit = undefined
  }
}

/** A path that ends where a resource should be named. Mirrors: apiserver pkg/endpoints/filters/requestinfo.go */
function refuseUnread(exchange: ServerExchange): void {
  const url = exchange.path + exchange.search
  const problem = `failed to create RequestInfo: unable to determine kind and namespace from url, ${url}`
  respondText(exchange, 500, `Internal Server Error: ${goQuote(url)}: ${problem}\n`)
}

/** A request's own id, when an answer can carry it. */
function auditId(text: string): string | undefined {
  return /^[\x21-\x7e]{1,128}$/.test(text) ? text : undefined
}

/** `?timeout=10s`, in milliseconds. */
function timeoutOf(exchange: ServerExchange): number | undefined {
  if (exchange.search === "" || !exchange.search.includes("timeout=")) return undefined
  const text = exchange.query.get("timeout")
  if (!text) return undefined
  let ms: number
  try {
    ms = parseGoDuration(text)
  } catch (thrown) {
    throw badRequest(`invalid timeout specified in the request URL - ${messageOf(thrown)}`)
  }
  return ms > 0 ? ms : undefined
}
