/**
 * The `serviceaccounts/token` subresource: tokens bound to a pod, a secret or a node.
 * Mirrors: pkg/registry/core/serviceaccount/storage/token.go
 */
import { node, pod, secret, serviceAccount, tokenRequest } from "@knarr/api"
import type { TokenRequest } from "@knarr/api"
import {
  badRequest,
  conflict,
  field,
  formatTime,
  invalid,
  notFound,
  type FieldError,
  type KubeObject,
} from "@knarr/apimachinery"
import { uuid, type Env } from "@knarr/base"
import type { TokenSigner } from "../authn/token-signer.ts"
import { serviceAccountUserName } from "../authn/users.ts"
import { trackUpdate } from "../registry/managed-fields.ts"
import { admissionAttributes } from "../registry/admit.ts"
import type { ObjectRef } from "../registry/request.ts"
import type { Registry } from "../registry/registry.ts"
import { defineHandler, type Handler } from "../registry/verbs/handler.ts"

export interface TokenRequestOptions {
  readonly env: Env
  readonly signer: TokenSigner
  /** What tokens are for when the request does not say. */
  readonly audiences: readonly string[]
  /** Tokens that the ServiceAccount admission asks for live a year, for clients that do not reload them. Default true. */
  readonly extendExpiration?: boolean | undefined
  /** The longest lifetime that is given. */
  readonly maxExpirationSeconds?: number | undefined
}

/** The lifetime that stands for "as the admission plugin asks". */
const admissionSeconds = 60 * 60 + 7
const extendedSeconds = 365 * 24 * 60 * 60
const defaultSeconds = 60 * 60
const minSeconds = 10 * 60
const maxSeconds = 2 ** 32

interface Bound {
  pod?: { name: string; uid: string }
  secret?: { name: string; uid: string }
  node?: { name: string; uid: string }
}

export function tokenHandler(registry: Registry, options: TokenRequestOptions): Handler {
  const { env, signer } = options
  return defineHandler<TokenRequest & KubeObject>({
    resource: "serviceaccounts",
    name: "token",
    plain: true,
    async create({ storage, ref }, sent, call) {
      let spec: TokenRequest["spec"] = {
        ...sent.spec,
        expirationSeconds: sent.spec?.expirationSeconds ?? defaultSeconds,
      }
      let request: TokenRequest & KubeObject = { ...sent, metadata: { ...sent.metadata }, spec }
      delete (request as Partial<TokenRequest>).status
      trackUpdate(tokenRequest, undefined, request, call.fieldManager, "token", env.clock.now())
      // Go prints a reference that nobody gave.
      spec.boundObjectRef ??= null as never
      const { admission } = storage.deps
      const attributes = admissionAttributes(
        storage,
        ref,
        { operation: "CREATE", object: request, oldObject: undefined, subresource: "token" },
        call,
      )
      await admission.admit(attributes)
      request = attributes.object as unknown as typeof request
      spec = request.spec
      matchUrl(ref, request)
      const account = registry.get(serviceAccount, ref)
      if (!account) throw notFound({ group: "", resource: "serviceaccounts" }, ref.name)
      const uid = request.metadata?.uid
      if (uid && uid !== account.metadata.uid)
        throw conflict(
          { group: kind.group, resource: kind.kind },
          ref.name,
          `the UID in the token request (${uid}) does not match the UID of the service account (${account.metadata.uid})`,
        )
      if (!spec.audiences || spec.audiences.length === 0) spec.audiences = [...options.audiences]
      const now = Math.floor(env.clock.now() / 1000)
      request.metadata = {
        ...request.metadata,
        name: ref.name,
        namespace: ref.namespace,
        uid: account.metadata.uid,
        creationTimestamp: formatTime(now * 1000),
      }
      validate(spec)
      await admission.validate(attributes)
      const bound = bindTo(registry, ref, spec.boundObjectRef)

      const most = options.maxExpirationSeconds ?? Infinity
      if (spec.expirationSeconds! > most) {
        call.warnings.push(
          `requested expiration of ${spec.expirationSeconds} seconds shortened to ${most} seconds`,
        )
        spec.expirationSeconds = most
      }
      let seconds = spec.expirationSeconds!
      let warnAfter: number | undefined
      const forUs = spec.audiences.every((audience) => options.audiences.includes(audience))
      if ((options.extendExpiration ?? true) && bound.pod && seconds === admissionSeconds && forUs) {
        warnAfter = now + seconds
        seconds = extendedSeconds
      }
      const token = signer.sign({
        aud: spec.audiences,
        exp: now + seconds,
        iat: now,
        iss: signer.issuers[0],
        jti: uuid(env.random),
        "kubernetes.io": {
          namespace: ref.namespace,
          ...(bound.node ? { node: bound.node } : {}),
          ...(bound.pod ? { pod: bound.pod } : {}),
          ...(bound.secret ? { secret: bound.secret } : {}),
          serviceaccount: { name: ref.name, uid: account.metadata.uid },
          ...(warnAfter === undefined ? {} : { warnafter: warnAfter }),
        },
        nbf: now,
        sub: serviceAccountUserName(ref.namespace, ref.name),
      })
      const value: TokenRequest = {
        ...request,
        kind: kind.kind,
        apiVersion: "authentication.k8s.io/v1",
        status: { token, expirationTimestamp: formatTime((now + spec.expirationSeconds!) * 1000) },
      }
      return { code: 201, value }
    },
  })
}

const kind = { group: "authentication.k8s.io", kind: "TokenRequest" }

/** A request that names an account names that of its path. */
function matchUrl(ref: ObjectRef, { metadata }: TokenRequest): void {
  for (const key of ["name", "namespace"] as const) {
    const value = metadata?.[key]
    if (!value || value === ref[key]) continue
    throw invalid(kind, ref.name, [
      field.invalid(`metadata.${key}`, value, `must match the service account ${key} if specified`),
    ])
  }
}

/** Mirrors: pkg/apis/authentication/validation */
function validate({ expirationSeconds = 0, attestations = {} }: TokenRequest["spec"]): void {
  const path = "spec.expirationSeconds"
  if (Object.keys(attestations).length > 0)
    throw invalid(kind, "", [
      field.invalid(
        "spec.attestations",
        attestations,
        "attestations may only be specified with a webhook bound object reference",
      ),
    ])
  const errors: FieldError[] = []
  if (expirationSeconds < minSeconds)
    errors.push(field.invalid(path, expirationSeconds, "may not specify a duration less than 10 minutes"))
  if (expirationSeconds > maxSeconds)
    errors.push(field.invalid(path, expirationSeconds, "may not specify a duration larger than 2^32 seconds"))
  if (errors.length > 0) throw invalid(kind, "", errors)
}

function bindTo(registry: Registry, account: ObjectRef, ref: TokenRequest["spec"]["boundObjectRef"]): Bound {
  if (!ref) return {}
  const name = ref.name ?? ""
  const check = (found: Readonly<KubeObject> | undefined, resource: string): Readonly<KubeObject> => {
    if (!found) throw notFound({ group: "", resource }, name)
    if (ref.uid && ref.uid !== found.metadata.uid)
      throw conflict(
        { group: "", resource: ref.kind ?? "" },
        name,
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record. ` +
          "The object might have been deleted and then recreated",
      )
    return found
  }
  const within = { namespace: account.namespace, name }
  switch (ref.apiVersion === "v1" ? ref.kind : "") {
    case "Pod": {
      const found = registry.get(pod, within)
      if (found && (found.spec.serviceAccountName ?? "") !== account.name)
        throw badRequest(
          `cannot bind token for serviceaccount ${JSON.stringify(account.name)} to pod running with different serviceaccount name.`,
        )
      const bound: Bound = { pod: { name, uid: check(found, "pods").metadata.uid } }
      const nodeName = found?.spec.nodeName
      if (nodeName)
        bound.node = { name: nodeName, uid: registry.get(node, { name: nodeName })?.metadata.uid ?? "" }
      return bound
    }
    case "Secret":
      return { secret: { name, uid: check(registry.get(secret, within), "secrets").metadata.uid } }
    case "Node":
      return { node: { name, uid: check(registry.get(node, { name }), "nodes").metadata.uid } }
    default: {
      const { apiVersion = "" } = ref
      const groupVersion = apiVersion.includes("/") ? apiVersion : `/${apiVersion}`
      throw badRequest(`cannot bind token to object of type ${groupVersion}, Kind=${ref.kind ?? ""}`)
    }
  }
}
