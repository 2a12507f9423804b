/** What the authorizers are asked. Mirrors: apiserver pkg/endpoints/filters/authorization.go GetAuthorizerAttributes */
import {
  type FieldRequirement,
  type LabelRequirement,
  parseFieldSelector,
  parseSelector,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { AskedSelector, AuthorizationAttributes, RequestInfo } from "../contract.ts"

/** A question about a resource; what is not given is "", and any version. */
export function resourceAttributes(
  asked: Partial<AuthorizationAttributes> & Pick<AuthorizationAttributes, "verb" | "resource">,
): AuthorizationAttributes {
  return {
    apiGroup: "",
    apiVersion: "*",
    subresource: "",
    namespace: "",
    name: "",
    path: "",
    isResourceRequest: true,
    ...asked,
  }
}

/** The same question with another verb. */
export function withVerb(attributes: AuthorizationAttributes, verb: string): AuthorizationAttributes {
  return {
    ...attributes,
    verb,
    get fieldSelector() {
      return attributes.fieldSelector
    },
    get labelSelector() {
      return attributes.labelSelector
    },
  }
}

const narrowed: ReadonlySet<string> = new Set(["list", "watch", "deletecollection"])

/** The attributes of a request. Most authorizers ask for no selector: it is read when one does. */
export class RequestAttributes implements AuthorizationAttributes {
  readonly verb: string
  readonly apiGroup: string
  readonly apiVersion: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly path: string
  readonly isResourceRequest: boolean
  readonly #request: { readonly query: URLSearchParams } | undefined

  constructor(info: RequestInfo, request: { readonly query: URLSearchParams }) {
    this.verb = info.verb
    this.apiGroup = info.apiGroup
    this.apiVersion = info.apiVersion
    this.resource = info.resource
    this.subresource = info.subresource
    this.namespace = info.namespace
    this.name = info.name
    this.path = info.path
    this.isResourceRequest = info.isResourceRequest
    // `/api/v1/watch/…` may name one object, where selectors are not looked at.
    if (info.isResourceRequest && info.prefix === "" && narrowed.has(info.verb)) this.#request = request
  }

  get fieldSelector(): AskedSelector<FieldRequirement> | undefined {
    return askedFields(this.#request?.query.get("fieldSelector"))
  }

  get labelSelector(): AskedSelector<LabelRequirement> | undefined {
    return askedLabels(this.#request?.query.get("labelSelector"))
  }
}

/** The requirements of a field selector's text; undefined when it asks nothing. */
export function askedFields(text: string | null | undefined): AskedSelector<FieldRequirement> | undefined {
  return asked(text, parseFieldSelector)
}

/** The requirements of a label selector's text; undefined when it asks nothing. */
export function askedLabels(text: string | null | undefined): AskedSelector<LabelRequirement> | undefined {
  return asked(text, parseSelector)
}

function asked<R>(
  text: string | null | undefined,
  parse: (text: string) => { readonly requirements: readonly R[] },
): AskedSelector<R> | undefined {
  if (!text) return undefined
  try {
    const { requirements } = parse(text)
    return requirements.length === 0 ? undefined : { requirements }
  } catch (thrown) {
    return { requirements: [], error: messageOf(thrown) }
  }
}
