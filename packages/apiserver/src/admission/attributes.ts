/** One request on its way through admission. Mirrors: apiserver pkg/admission/attributes.go, reinvocation.go */
import type { Kind, KubeObject, UserInfo } from "@knarr/apimachinery"
import type {
  AdmissionAttributes,
  AdmissionHooks,
  AdmissionRequest,
  Annotate,
  GroupVersionKind,
  GroupVersionResource,
  Reinvocation,
} from "../contract.ts"

/** What a request brings to admission. */
type AdmissionInput = Omit<
  AdmissionAttributes,
  "requestKind" | "requestResource" | "reinvocation" | "annotate"
> & {
  /** Where audit annotations go; default: nowhere. */
  readonly annotate?: Annotate | undefined
}

/** Makes the attributes of one request. */
export function createAdmissionRequest(input: AdmissionInput): AdmissionRequest {
  return new Attributes(input)
}

/** The same request with another object; both share their rounds. */
export function withObject(a: AdmissionAttributes, object: KubeObject | undefined): AdmissionAttributes {
  const { operation, kind, subresource, namespace, name, oldObject, user, dryRun } = a
  const { options, warnings, signal, annotate } = a
  const same = { operation, kind, subresource, namespace, name, oldObject, user, dryRun, options }
  return new Attributes({ ...same, object, warnings, signal, annotate }, a.reinvocation as SecondRound)
}

class Attributes implements AdmissionRequest {
  readonly operation: AdmissionAttributes["operation"]
  readonly kind: Kind
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  object: KubeObject | undefined
  readonly oldObject: Readonly<KubeObject> | undefined
  readonly user: UserInfo
  readonly dryRun: boolean
  readonly options: AdmissionAttributes["options"]
  readonly warnings: string[]
  readonly signal: AbortSignal | undefined
  readonly annotate: Annotate
  #reinvocation: SecondRound | undefined

  constructor(input: AdmissionInput, reinvocation?: SecondRound) {
    this.operation = input.operation
    this.kind = input.kind
    this.subresource = input.subresource
    this.namespace = input.namespace
    this.name = input.name
    this.object = input.object
    this.oldObject = input.oldObject
    this.user = input.user
    this.dryRun = input.dryRun
    this.options = input.options
    this.warnings = input.warnings
    this.signal = input.signal
    this.annotate = input.annotate ?? nowhere
    this.#reinvocation = reinvocation
  }

  get requestKind(): GroupVersionKind {
    const { group, version, kind } = this.kind
    const spoken = this.subresource === "" ? undefined : this.object
    if (!spoken?.apiVersion || !spoken.kind) return { group, version, kind }
    const slash = spoken.apiVersion.indexOf("/")
    return {
      group: slash < 0 ? "" : spoken.apiVersion.slice(0, slash),
      version: spoken.apiVersion.slice(slash + 1),
      kind: spoken.kind,
    }
  }

  get requestResource(): GroupVersionResource {
    const { group, version, plural } = this.kind
    return { group, version, resource: plural }
  }

  get reinvocation(): SecondRound {
    return (this.#reinvocation ??= new SecondRound())
  }
}

const nowhere: Annotate = () => {}

class SecondRound implements Reinvocation {
  readonly memory = new Map<AdmissionHooks, unknown>()
  #requested = false
  #again = false

  get again(): boolean {
    return this.#again
  }

  request(): void {
    this.#requested = true
  }

  begin(): boolean {
    if (!this.#requested || this.#again) return false
    return (this.#again = true)
  }
}
