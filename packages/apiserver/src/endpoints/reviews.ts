/**
 * Questions about access that are asked as objects and never stored: SubjectAccessReview and its relatives,
 * SelfSubjectRulesReview, TokenReview, SelfSubjectReview.
 * Mirrors: pkg/registry/authorization, pkg/registry/authentication
 */
import type {
  NonResourceRule,
  ResourceRule,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
  SubjectAccessReviewStatus,
  TokenReview,
} from "@knarr/api"
import {
  aggregate,
  badRequest,
  formatTime,
  invalid,
  type FieldError,
  type KubeObject,
} from "@knarr/apimachinery"
import type { Clock } from "@knarr/base"
import type { Authenticator } from "../authn/authenticator.ts"
import { evaluationError, reviewAttributes } from "../authz/review-attributes.ts"
import type { Authorizer, Cancellable, UserInfo, UserRules } from "../contract.ts"
import { answeredAtOnce } from "../registry/verbs/answered.ts"
import type { Handler } from "../registry/verbs/handler.ts"
import { validateLocalReview, validateReview } from "./reviews.validate.ts"

export interface ReviewDeps {
  readonly clock: Clock
  readonly authorizer: Required<Authorizer>
  readonly authenticator: Pick<Authenticator, "authenticateToken" | "audiences">
}

const authorization = "authorization.k8s.io"
const authentication = "authentication.k8s.io"

/** The handlers of the review resources. */
export function reviewHandlers(deps: ReviewDeps): Handler[] {
  const { authorizer } = deps
  return [
    answeredAtOnce<Sent<SubjectAccessReview>>(
      `subjectaccessreviews.${authorization}`,
      async (review, request) => {
        refuse(validateReview(review, true))
        return { ...review, status: await decide(authorizer, userOf(review.spec), review.spec, request) }
      },
    ),
    answeredAtOnce<Sent<SubjectAccessReview>>(
      `localsubjectaccessreviews.${authorization}`,
      async (review, request, { ref }) => {
        refuse(validateLocalReview(review))
        if ((review.metadata.namespace ?? "") !== ref.namespace)
          throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${ref.namespace}`)
        return { ...review, status: await decide(authorizer, userOf(review.spec), review.spec, request) }
      },
    ),
    answeredAtOnce<Sent<SelfSubjectAccessReview>>(
      `selfsubjectaccessreviews.${authorization}`,
      async (review, request) => {
        refuse(validateReview(review, false))
        return { ...review, status: await decide(authorizer, request.user, review.spec, request) }
      },
    ),
    answeredAtOnce<Sent<SelfSubjectRulesReview>>(
      `selfsubjectrulesreviews.${authorization}`,
      async (review, request) => {
        const namespace = review.spec?.namespace ?? ""
        if (namespace === "") throw badRequest("no namespace on request")
        const found = await authorizer.rulesFor(request.user, namespace, request)
        return { ...review, metadata: {}, spec: {}, status: rulesStatus(found) }
      },
    ),
    answeredAtOnce<Sent<SelfSubjectReview>>(`selfsubjectreviews.${authentication}`, (review, request) => {
      const creationTimestamp = formatTime(deps.clock.now())
      return {
        ...review,
        metadata: { creationTimestamp },
        status: { userInfo: userInfoOf(request.user) },
      }
    }),
    answeredAtOnce<Sent<TokenReview>>(`tokenreviews.${authentication}`, async (review, request) => {
      if (!review.spec?.token) throw badRequest("token is required for TokenReview in authentication")
      const wanted = review.spec.audiences ?? []
      const audiences = wanted.length > 0 ? wanted : deps.authenticator.audiences
      const result = await deps.authenticator.authenticateToken(review.spec.token, audiences, request)
      if ("error" in result) return { ...review, status: { user: {}, error: result.error } }
      return {
        ...review,
        status: {
          authenticated: true,
          user: userInfoOf(result.user),
          audiences: [...(result.audiences ?? [])],
        },
      }
    }),
  ]
}

/** What has been read has metadata. */
type Sent<T> = T & KubeObject

function refuse(errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: authorization, kind: "" }, "", errors)
}

function userOf(spec: SubjectAccessReviewSpec): UserInfo {
  return {
    name: spec.user ?? "",
    groups: spec.groups ?? [],
    ...(spec.uid ? { uid: spec.uid } : {}),
    ...(spec.extra ? { extra: spec.extra } : {}),
  }
}

async function decide(
  authorizer: Authorizer,
  user: UserInfo,
  spec: SubjectAccessReviewSpec,
  request: Cancellable,
): Promise<SubjectAccessReviewStatus> {
  const attributes = reviewAttributes(spec)
  const { verdict, reason, error } = await authorizer.authorize(user, attributes, request)
  const problem = evaluationError(error, attributes)
  return {
    allowed: verdict === "allow",
    ...(verdict === "deny" ? { denied: true } : {}),
    ...(reason === "" ? {} : { reason }),
    ...(problem === "" ? {} : { evaluationError: problem }),
  }
}

function rulesStatus({ rules, errors, incomplete }: UserRules): SelfSubjectRulesReview["status"] {
  const resourceRules: ResourceRule[] = []
  const nonResourceRules: NonResourceRule[] = []
  for (const rule of rules) {
    if ((rule.resources?.length ?? 0) > 0) {
      const { verbs, apiGroups, resources, resourceNames } = rule
      resourceRules.push({
        verbs: [...verbs],
        ...(apiGroups ? { apiGroups: [...apiGroups] } : {}),
        ...(resources ? { resources: [...resources] } : {}),
        ...(resourceNames && resourceNames.length > 0 ? { resourceNames: [...resourceNames] } : {}),
      })
    }
    if ((rule.nonResourceURLs?.length ?? 0) > 0)
      nonResourceRules.push({ verbs: [...rule.verbs], nonResourceURLs: [...rule.nonResourceURLs!] })
  }
  const status: SelfSubjectRulesReview["status"] = { resourceRules, nonResourceRules, incomplete }
  if (errors.length > 0) status.evaluationError = aggregate(errors)
  return status
}

function userInfoOf(user: UserInfo): NonNullable<SelfSubjectReview["status"]["userInfo"]> {
  const extra =
    user.extra && Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]))
  return {
    username: user.name,
    ...(user.uid ? { uid: user.uid } : {}),
    ...(user.groups.length > 0 ? { groups: [...user.groups] } : {}),
    ...(extra ? { extra } : {}),
  }
}
