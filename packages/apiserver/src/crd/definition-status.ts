/**
 * What the status of a CustomResourceDefinition says: its accepted names and its conditions, decided purely.
 * Mirrors: apiextensions pkg/controller/{status,establish,nonstructuralschema,apiapproval}, pkg/apihelpers
 */
import {
  withDefinitionCondition,
  type CustomResourceDefinition,
  type CustomResourceDefinitionCondition,
  type CustomResourceDefinitionNames,
  type CustomResourceDefinitionStatus,
} from "@knarr/api"
import { deepClone, deepEqual, goQuote } from "@knarr/apimachinery"

type Condition = Omit<CustomResourceDefinitionCondition, "lastTransitionTime">

const approvedAnnotation = "api-approved.kubernetes.io"
const emptyNames: CustomResourceDefinitionNames = { plural: "", kind: "" }

export function conditionOf(
  crd: Readonly<CustomResourceDefinition>,
  type: string,
): CustomResourceDefinitionCondition | undefined {
  return crd.status?.conditions?.find((one) => one.type === type)
}

export function isTrue(crd: Readonly<CustomResourceDefinition>, type: string): boolean {
  return conditionOf(crd, type)?.status === "True"
}

/**
 * The status that a definition should have next, or undefined when it has it. `others` are the definitions of the same
 * group: what names they have is theirs. Names are accepted first and the resource is established in a second step, so
 * that whoever sees it established can already use it.
 */
export function nextStatus(
  crd: Readonly<CustomResourceDefinition>,
  others: Iterable<Readonly<CustomResourceDefinition>>,
  nowMs: number,
): CustomResourceDefinitionStatus | undefined {
  const present = deepClone(crd.status ?? {})
  let status = accepted(crd, present, others, nowMs)
  const approval = approvalOf(crd)
  if (approval && !sameCondition(approval, conditionOf(crd, approval.type)))
    status = withDefinitionCondition(status, approval, nowMs)
  return deepEqual(status, present) ? undefined : status
}

/** The status of a definition whose names are accepted and that is not established yet; undefined for any other. */
export function establishedStatus(
  crd: Readonly<CustomResourceDefinition>,
  nowMs: number,
): CustomResourceDefinitionStatus | undefined {
  if (!isTrue(crd, "NamesAccepted") || isTrue(crd, "Established")) return undefined
  return withDefinitionCondition(
    deepClone(crd.status ?? {}),
    {
      type: "Established",
      status: "True",
      reason: "InitialNamesAccepted",
      message: "the initial names have been accepted",
    },
    nowMs,
  )
}

function sameCondition(a: Condition, b: Condition | undefined): boolean {
  return b !== undefined && a.status === b.status && a.reason === b.reason && a.message === b.message
}

function accepted(
  crd: Readonly<CustomResourceDefinition>,
  status: CustomResourceDefinitionStatus,
  others: Iterable<Readonly<CustomResourceDefinition>>,
  nowMs: number,
): CustomResourceDefinitionStatus {
  const wanted = crd.spec.names
  const own = status.acceptedNames ?? emptyNames
  if (deepEqual(wanted, own)) return status
  const taken = takenNames(crd, others)
  const names = { ...own }
  let conflict: Condition | undefined
  const fail = (reason: string, message: string): void => {
    conflict = { type: "NamesAccepted", status: "False", reason, message }
  }
  const claim = (
    field: "plural" | "singular" | "kind" | "listKind",
    reason: string,
    used: Set<string>,
  ): void => {
    const name = wanted[field] ?? ""
    if (name !== (own[field] ?? "") && used.has(name)) fail(reason, `${goQuote(name)} is already in use`)
    else if (wanted[field] === undefined) delete names[field]
    else names[field] = name
  }
  claim("plural", "PluralConflict", taken.resources)
  claim("singular", "SingularConflict", taken.resources)
  if (!deepEqual(wanted.shortNames, own.shortNames)) {
    const used = (wanted.shortNames ?? []).filter(
      (name) => !own.shortNames?.includes(name) && taken.resources.has(name),
    )
    const texts = used.map((name) => `${goQuote(name)} is already in use`)
    if (texts.length > 0) fail("ShortNamesConflict", texts.length === 1 ? texts[0]! : `[${texts.join(", ")}]`)
    else if (wanted.shortNames === undefined) delete names.shortNames
    else names.shortNames = [...wanted.shortNames]
  }
  claim("kind", "KindConflict", taken.kinds)
  claim("listKind", "ListKindConflict", taken.kinds)
  if (wanted.categories === undefined) delete names.categories
  else names.categories = [...wanted.categories]

  const naming: Condition = conflict ?? {
    type: "NamesAccepted",
    status: "True",
    reason: "NoConflicts",
    message: "no conflicts found",
  }
  if (deepEqual(names, own) && sameCondition(naming, conditionOf(crd, "NamesAccepted"))) return status
  const next = withDefinitionCondition({ ...status, acceptedNames: names }, naming, nowMs)
  const established = conditionOf(crd, "Established")
  if (established?.status === "True") return next
  if (naming.status === "True")
    return withDefinitionCondition(
      next,
      {
        type: "Established",
        status: "False",
        reason: "Installing",
        message: "the initial names have been accepted",
      },
      nowMs,
    )
  return withDefinitionCondition(
    next,
    established ?? {
      type: "Established",
      status: "False",
      reason: "NotAccepted",
      message: "not all names are accepted",
    },
    nowMs,
  )
}

function takenNames(
  crd: Readonly<CustomResourceDefinition>,
  others: Iterable<Readonly<CustomResourceDefinition>>,
): { resources: Set<string>; kinds: Set<string> } {
  const resources = new Set<string>()
  const kinds = new Set<string>()
  for (const other of others) {
    if (other.spec.group !== crd.spec.group) continue
    const names = other.status?.acceptedNames ?? emptyNames
    for (const name of [names.plural, names.singular ?? "", ...(names.shortNames ?? [])]) resources.add(name)
    kinds.add(names.kind).add(names.listKind ?? "")
  }
  return { resources, kinds }
}

/** Groups of the community's own need its approval. */
function approvalOf(crd: Readonly<CustomResourceDefinition>): Condition | undefined {
  const { group } = crd.spec
  if (!/(^|\.)(k8s\.io|kubernetes\.io)$/.test(group)) return undefined
  const type = "KubernetesAPIApprovalPolicyConformant"
  const text = crd.metadata.annotations?.[approvedAnnotation] ?? ""
  const see = "see https://github.com/kubernetes/enhancements/pull/1111"
  const must = `protected groups must have approval annotation ${goQuote(approvedAnnotation)}`
  if (text === "") return { type, status: "False", reason: "MissingAnnotation", message: `${must}, ${see}` }
  if (text.startsWith("unapproved"))
    return {
      type,
      status: "False",
      reason: "UnapprovedAnnotation",
      message: `not approved: ${goQuote(text)}`,
    }
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#\s]+/.test(text))
    return { type, status: "True", reason: "ApprovedAnnotation", message: `approved in ${text}` }
  return {
    type,
    status: "False",
    reason: "InvalidAnnotation",
    message: `${must} with either a URL or a reason starting with "unapproved", ${see}`,
  }
}
