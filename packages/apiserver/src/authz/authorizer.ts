/**
 * The authorizers, in upstream's order: privileged groups, paths that are open to all, Node, RBAC.
 * Mirrors: apiserver pkg/authorization/union
 */
import { aggregate } from "@knarr/apimachinery"
import { abortable } from "@knarr/base"
import type {
  AuthorizationAttributes,
  Authorizer,
  Cancellable,
  Decision,
  UserInfo,
  UserRules,
} from "../contract.ts"
import { systemMasters } from "../authn/users.ts"

/** What is asked under one name of the mode list: `node`, `rbac`. */
export interface NamedAuthorizer {
  readonly name: string
  readonly authorizer: Authorizer
}

const open: readonly string[] = ["/healthz", "/livez", "/readyz"]
const allowed: Decision = Object.freeze({ verdict: "allow", reason: "" })

/**
 * Asks one after the other; the first that allows or denies decides. Reasons and errors of those without an opinion
 * are joined. Throws for a name that is empty or there twice.
 */
export function createAuthorizer(authorizers: readonly NamedAuthorizer[]): Required<Authorizer> {
  for (const [i, { name }] of authorizers.entries()) {
    if (name === "") throw new Error("Cannot make the chain of authorizers: one has no name")
    if (authorizers.findIndex((other) => other.name === name) !== i)
      throw new Error(`Cannot make the chain of authorizers: two are called ${JSON.stringify(name)}`)
  }
  return {
    authorize(user, attributes, request) {
      if (user.groups.includes(systemMasters)) return allowed
      return new Question(authorizers, user, attributes, request).ask(0)
    },
    async rulesFor(user, namespace, request) {
      const all: UserRules[] = []
      for (const { authorizer } of authorizers) {
        const found = authorizer.rulesFor?.(user, namespace, request)
        if (found) all.push(found instanceof Promise ? await whileAsked(found, request) : found)
      }
      return {
        rules: all.flatMap(({ rules }) => rules),
        errors: all.flatMap(({ errors }) => errors),
        incomplete: all.some(({ incomplete }) => incomplete),
      }
    },
  }
}

/** One question on its way along the chain. */
class Question {
  readonly #authorizers: readonly NamedAuthorizer[]
  readonly #user: UserInfo
  readonly #attributes: AuthorizationAttributes
  readonly #request: Cancellable
  #reasons = ""
  #errors: Error[] | undefined

  constructor(
    authorizers: readonly NamedAuthorizer[],
    user: UserInfo,
    attributes: AuthorizationAttributes,
    request: Cancellable,
  ) {
    this.#authorizers = authorizers
    this.#user = user
    this.#attributes = attributes
    this.#request = request
  }

  /** Asks those from the one at `from` on. */
  ask(from: number): Decision | Promise<Decision> {
    for (let i = from; i < this.#authorizers.length; i++) {
      const { name, authorizer } = this.#authorizers[i]!
      const answer = authorizer.authorize(this.#user, this.#attributes, this.#request)
      if (answer instanceof Promise)
        return whileAsked(answer, this.#request).then(
          (decision) => this.#settled(name, decision) ?? this.ask(i + 1),
        )
      const settled = this.#settled(name, answer)
      if (settled) return settled
    }
    if (!this.#attributes.isResourceRequest && open.includes(this.#attributes.path)) return allowed
    const decision: Decision = { verdict: "noOpinion", reason: this.#reasons }
    return this.#errors ? { ...decision, error: joined(this.#errors) } : decision
  }

  #settled(name: string, decision: Decision): Decision | undefined {
    if (decision.verdict !== "noOpinion") return decision
    const { reason, error } = decision
    if (reason !== "") this.#reasons += `${this.#reasons === "" ? "" : "\n"}${name}: ${reason}`
    if (error) (this.#errors ??= []).push(error)
    return undefined
  }
}

function whileAsked<T>(answer: Promise<T>, { signal }: Cancellable): Promise<T> {
  return signal ? abortable(answer, signal) : answer
}

function joined(errors: readonly Error[]): Error {
  if (errors.length === 1) return errors[0]!
  return new AggregateError(errors, aggregate(errors.map((error) => error.message)))
}
