/** Validation of priority levels. Mirrors: pkg/apis/flowcontrol/validation/validation.go (ValidatePriorityLevelConfiguration) */
import { field, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { validateFlowSchemaStatus } from "./flowschema.validate.ts"
import { mandatoryPriorityLevels } from "./mandatory.ts"
import type {
  LimitResponse,
  LimitedPriorityLevelConfiguration,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from "./types.gen.ts"

const maxQueues = 10_000_000
/** Bits of a hash that deals the hands of queues. */
const maxHashBits = 60

export function validatePriorityLevel(level: Readonly<PriorityLevelConfiguration>): FieldError[] {
  const { metadata, spec } = level
  const name = metadata.name ?? ""
  const out: FieldError[] = []
  const { type, limited, exempt } = spec
  if ((name === "exempt") !== (type === "Exempt"))
    out.push(field.invalid("spec.type", type ?? "", "must be 'Exempt' if and only if `name` is 'exempt'"))
  if (type === "Exempt") {
    const { nominalConcurrencyShares: shares, lendablePercent: percent } = exempt ?? {}
    out.push(...notNegativeShares("spec.exempt", shares), ...percentage("spec.exempt", percent))
  } else if (type === "Limited") {
    if (limited) out.push(...validateLimited("spec.limited", limited))
  } else if (type) out.push(field.notSupported("spec.type", type, ["Exempt", "Limited"]))
  out.push(...validateMandatory(level), ...validateFlowSchemaStatus(level))
  return [...out, ...validateChoices(spec)]
}

/** What goes with which type is told last. */
function validateChoices(spec: Readonly<PriorityLevelConfiguration>["spec"]): FieldError[] {
  const { type, limited, exempt } = spec
  const out: FieldError[] = []
  const response = limited?.limitResponse
  if (exempt && type !== "Exempt") out.push(field.forbidden("spec.exempt", ""))
  if (type === "Limited" && !limited) out.push(field.required("spec.limited", ""))
  if (type !== "Limited" && limited) out.push(field.forbidden("spec.limited", ""))
  if (!type) out.push(field.required("spec.type", ""))
  const path = "spec.limited.limitResponse"
  if (response?.type === "Queue" && !response.queuing) out.push(field.required(`${path}.queuing`, ""))
  if (response && response.type !== "Queue" && response.queuing)
    out.push(field.forbidden(`${path}.queuing`, ""))
  if (limited && !response?.type) out.push(field.required(`${path}.type`, ""))
  return out
}

function notNegativeShares(path: string, shares: number | undefined): FieldError[] {
  return (shares ?? 0) < 0
    ? [field.invalid(`${path}.nominalConcurrencyShares`, shares, "must be a non-negative integer")]
    : []
}

function percentage(path: string, percent: number | undefined): FieldError[] {
  return percent !== undefined && (percent < 0 || percent > 100)
    ? [field.invalid(`${path}.lendablePercent`, percent, "must be between 0 and 100, inclusive")]
    : []
}

function validateLimited(path: string, limited: LimitedPriorityLevelConfiguration): FieldError[] {
  const borrowed = limited.borrowingLimitPercent
  return [
    ...notNegativeShares(path, limited.nominalConcurrencyShares),
    ...validateResponse(`${path}.limitResponse`, limited.limitResponse),
    ...percentage(path, limited.lendablePercent),
    ...(borrowed !== undefined && borrowed < 0
      ? [
          field.invalid(
            `${path}.borrowingLimitPercent`,
            borrowed,
            "if specified, must be a non-negative integer",
          ),
        ]
      : []),
  ]
}

function validateResponse(path: string, response: LimitResponse | undefined): FieldError[] {
  const type = response?.type
  if (type === "Queue") return response?.queuing ? validateQueuing(`${path}.queuing`, response.queuing) : []
  return type && type !== "Reject" ? [field.notSupported(`${path}.type`, type, ["Queue", "Reject"])] : []
}

function validateQueuing(path: string, queuing: QueuingConfiguration): FieldError[] {
  const { queueLengthLimit = 0, queues = 0, handSize = 0 } = queuing
  const out: FieldError[] = []
  const wrong = (name: string, value: number, detail: string): number =>
    out.push(field.invalid(`${path}.${name}`, value, detail))
  if (queueLengthLimit <= 0) wrong("queueLengthLimit", queueLengthLimit, "must be positive")
  if (queues <= 0) wrong("queues", queues, "must be positive")
  else if (queues > maxQueues) wrong("queues", queues, `must not be greater than ${maxQueues}`)
  if (handSize <= 0) wrong("handSize", handSize, "must be positive")
  else if (handSize > queues) wrong("handSize", handSize, `should not be greater than queues (${queues})`)
  else if (entropyBits(queues, handSize) > maxHashBits)
    wrong(
      "handSize",
      handSize,
      `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${maxHashBits}`,
    )
  return out
}

/** Bits that it takes to deal a hand. */
function entropyBits(deckSize: number, handSize: number): number {
  return Math.ceil(Math.log2(deckSize) * handSize)
}

function validateMandatory({ metadata, spec }: Readonly<PriorityLevelConfiguration>): FieldError[] {
  const name = metadata.name ?? ""
  const fixed = mandatoryPriorityLevels[name]
  if (!fixed) return []
  const free = name === "exempt"
  const now = free ? { ...spec, exempt: fixed.exempt } : spec
  if (semanticEqual(now, fixed)) return []
  const but = free ? " except the 'spec.exempt' field" : ""
  return [field.invalid("spec", spec, `spec of '${name}'${but} must equal the fixed value`)]
}
