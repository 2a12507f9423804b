/**
 * Holds pods to the security level that their namespace's labels name, and warns about workloads whose pods would
 * not pass and about pods that a namespace's new level would not let in. Nobody and nothing is exempt.
 * Mirrors: pod-security-admission admission
 */
import { namespace, pod } from "@knarr/api"
import type { Container, Namespace, Pod } from "@knarr/api"
import {
  aggregateMessage,
  field,
  invalid,
  semanticEqual,
  type FieldError,
  type KubeObject,
} from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../contract.ts"
import { violations, type Level, type PodLike, type Violation } from "./pod-security-checks.ts"
import { refusal } from "./refuse.ts"

const prefix = "pod-security.kubernetes.io/"
const workloads = new Set([
  "podtemplates",
  "replicationcontrollers",
  "replicasets.apps",
  "deployments.apps",
  "daemonsets.apps",
  "statefulsets.apps",
  "jobs.batch",
  "cronjobs.batch",
])
/** Subresources of a pod that do not change what it is. Any other one is looked at. */
const ignoredSubresources = new Set([
  "exec",
  "attach",
  "binding",
  "eviction",
  "log",
  "portforward",
  "proxy",
  "status",
])
const levels: readonly string[] = ["privileged", "baseline", "restricted"] satisfies Level[]
/** Pods that are looked at when a namespace changes its level. */
const maxPodsToCheck = 3000

interface LevelVersion {
  readonly level: Level
  readonly version: string
}

type Labels = Readonly<Record<string, string>>

/** What a namespace's labels ask for, and what is wrong with them. Mirrors: api/helpers.go PolicyToEvaluate */
function policyOf(labels: Labels = {}): {
  enforce: LevelVersion
  warn: LevelVersion
  audit: LevelVersion
  errors: FieldError[]
} {
  const errors: FieldError[] = []
  const problem = (name: string, value: string, detail: string): void =>
    void errors.push(field.invalid(`metadata.labels[${prefix}${name}]`, value, detail))
  /** `fallback` stands for a level that nobody knows. */
  const read = (
    mode: string,
    fallback: Level,
  ): { set: boolean; valid: boolean; versioned: boolean; policy: LevelVersion } => {
    const level = labels[`${prefix}${mode}`]
    const version = labels[`${prefix}${mode}-version`]
    const valid = level !== undefined && levels.includes(level)
    if (level !== undefined && !valid) problem(mode, level, `must be one of ${levels.join(", ")}`)
    const goodVersion =
      version === undefined || version === "latest" || /^v1\.([0-9]|[1-9][0-9]*)$/.test(version)
    if (!goodVersion) problem(`${mode}-version`, version, 'must be "latest" or "v1.x"')
    return {
      set: level !== undefined,
      valid,
      versioned: version !== undefined,
      policy: {
        level: valid ? (level as Level) : level === undefined ? "privileged" : fallback,
        version: goodVersion ? (version ?? "latest") : "latest",
      },
    }
  }
  const enforce = read("enforce", "restricted")
  const audit = read("audit", "privileged")
  const warn = read("warn", "privileged")
  let warned = warn.policy
  if (!warn.set && enforce.valid && enforce.policy.level !== "privileged")
    warned = {
      level: enforce.policy.level,
      version: warn.versioned ? warned.version : enforce.policy.version,
    }
  return { enforce: enforce.policy, warn: warned, audit: audit.policy, errors }
}

const nameOf = ({ level, version }: LevelVersion): string => JSON.stringify(`${level}:${version}`)

function describe(policy: LevelVersion, found: readonly Violation[]): string {
  const parts = found.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`))
  return `violate PodSecurity ${nameOf(policy)}: ${parts.join(", ")}`
}

export const podSecurity: AdmissionPlugin = {
  name: "PodSecurity",
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) => (a.operation === "CREATE" || a.operation === "UPDATE") && validatorOf(a) !== undefined,
    validate: (a) => validatorOf(a)!(deps, a),
  }),
}

type Validator = (deps: AdmissionDeps, a: AdmissionAttributes) => void

function validatorOf({ kind, subresource }: AdmissionAttributes): Validator | undefined {
  const resource = kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`
  if (resource === "pods") return ignoredSubresources.has(subresource) ? undefined : validatePod
  if (subresource !== "") return undefined
  if (resource === "namespaces") return validateNamespace
  return workloads.has(resource) ? validateWorkload : undefined
}

function validatePod({ get }: AdmissionDeps, a: AdmissionAttributes): void {
  const policy = policyOf(get(namespace, { name: a.namespace })?.metadata.labels)
  const { enforce, warn } = policy
  const target = a.object as Pod
  if (a.operation === "UPDATE" && !isSignificant(target, a.oldObject as Readonly<Pod>)) return
  a.annotate(`${prefix}enforce-policy`, `${enforce.level}:${enforce.version}`)
  recordAbout(a, policy, target)
  const found = violations(enforce.level, target)
  if (found.length > 0) throw refusal(a, describe(enforce, found).replace(/^violate/, "violates"))
  warnAbout(a, warn, target)
}

function validateWorkload({ get }: AdmissionDeps, a: AdmissionAttributes): void {
  const policy = policyOf(get(namespace, { name: a.namespace })?.metadata.labels)
  const target = templateOf(a.object!)
  if (!target) return
  recordAbout(a, policy, target)
  warnAbout(a, policy.warn, target)
}

function recordAbout(
  a: AdmissionAttributes,
  { audit, errors }: ReturnType<typeof policyOf>,
  target: PodLike,
): void {
  if (errors.length > 0) a.annotate(`${prefix}error`, `Failed to parse policy: ${aggregateMessage(errors)}`)
  const found = violations(audit.level, target)
  if (found.length > 0) a.annotate(`${prefix}audit-violations`, `would ${describe(audit, found)}`)
}

function warnAbout(a: AdmissionAttributes, warn: LevelVersion, target: PodLike): void {
  const found = violations(warn.level, target)
  if (found.length > 0) a.warnings.push(`would ${describe(warn, found)}`)
}

/** A change of images or of the number of containers; ephemeral containers are looked at when they are new. */
function isSignificant(next: Readonly<Pod>, old: Readonly<Pod>): boolean {
  const differs = (a: readonly Container[] = [], b: readonly Container[] = []): boolean =>
    a.length !== b.length || a.some((container, i) => container.image !== b[i]!.image)
  return (
    differs(next.spec.containers, old.spec.containers) ||
    differs(next.spec.initContainers, old.spec.initContainers) ||
    (next.spec.ephemeralContainers ?? []).some((container) => {
      const before = old.spec.ephemeralContainers?.find(({ name }) => name === container.name)
      return !before || before.image !== container.image
    })
  )
}

function templateOf(obj: KubeObject): PodLike | undefined {
  const { template, spec } = obj as {
    template?: PodLike
    spec?: { template?: PodLike; jobTemplate?: { spec?: { template?: PodLike } } }
  }
  const found = template ?? spec?.template ?? spec?.jobTemplate?.spec?.template
  return found?.spec ? found : undefined
}

/** A word that is no level would switch protection off without anybody noticing. */
function validateNamespace(deps: AdmissionDeps, a: AdmissionAttributes): void {
  const next = policyOf(a.object!.metadata.labels)
  const refuse = (): never => {
    throw invalid({ group: "", kind: "Namespace" }, a.name, next.errors)
  }
  if (a.operation === "CREATE") {
    if (next.errors.length > 0) refuse()
    return
  }
  const old = policyOf((a.oldObject as Readonly<Namespace>).metadata.labels)
  if (next.errors.length > 0 && !semanticEqual(next.errors, old.errors)) refuse()
  const { enforce } = next
  if (semanticEqual(enforce, old.enforce) || enforce.level === "privileged") return
  const rank = (level: Level): number => levels.indexOf(level)
  if (enforce.version === old.enforce.version && rank(enforce.level) <= rank(old.enforce.level)) return
  a.warnings.push(...warningsAboutPods(enforce, a.name, deps.list(pod, a.name)))
}

/** What the pods that are there have to say to a new level. Mirrors: EvaluatePodsInNamespace */
function warningsAboutPods(enforce: LevelVersion, name: string, pods: readonly Readonly<Pod>[]): string[] {
  const checked = onePerController(pods).slice(0, maxPodsToCheck)
  const byReason = new Map<string, string[]>()
  for (const one of checked) {
    const reason = violations(enforce.level, one)
      .map((found) => found.reason)
      .join(", ")
    if (reason === "") continue
    const names = byReason.get(reason)
    if (names) names.push(one.metadata.name)
    else byReason.set(reason, [one.metadata.name])
  }
  const warnings: string[] = []
  if (checked.length < pods.length)
    warnings.push(
      `new PodSecurity enforce level only checked against the first ${checked.length} of ${pods.length} existing pods`,
    )
  if (byReason.size > 0)
    warnings.push(
      `existing pods in namespace ${JSON.stringify(name)} violate the new PodSecurity enforce level ${nameOf(enforce)}`,
    )
  const lines = [...byReason].map(([reason, names]) => {
    const [first] = names.sort()
    if (names.length === 1) return `${first}: ${reason}`
    return `${first} (and ${names.length === 2 ? "1 other pod" : `${names.length - 1} other pods`}): ${reason}`
  })
  return [...warnings, ...lines.sort()]
}

/** The pods in their order, with those of a controller that has been seen behind all others. */
function onePerController(pods: readonly Readonly<Pod>[]): Readonly<Pod>[] {
  const seen = new Set<string>()
  const later: Readonly<Pod>[] = []
  const first = pods.filter((one) => {
    const uid = one.metadata.ownerReferences?.find(({ controller }) => controller)?.uid
    if (uid === undefined || !seen.has(uid)) {
      if (uid !== undefined) seen.add(uid)
      return true
    }
    later.push(one)
    return false
  })
  return [...first, ...later]
}
