/**
 * Holds pods to the security level that their namespace's labels name, and warns about workloads whose pods would
 * not pass and about pods that a namespace's new level would not let in. Whom the configuration exempts it leaves alone.
 * Mirrors: pod-security-admission admission
 */
import { namespace, pod } from "@knarr/api"
import type { Container, Namespace, Pod } from "@knarr/api"
import { aggregateMessage, invalid, semanticEqual, type KubeObject } from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../contract.ts"
import { violations, type PodLike, type Violation } from "./pod-security-checks.ts"
import { readPodSecurityConfiguration, type Exemptions } from "./pod-security-configuration.ts"
import {
  isPrivileged,
  labelPrefix as prefix,
  policyOf,
  strictness,
  type LevelVersion,
  type Policy,
} from "./pod-security-policy.ts"
import { refusal } from "./refuse.ts"

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
/** Pods that are looked at when a namespace changes its level. */
const maxPodsToCheck = 3000

const nameOf = ({ level, version }: LevelVersion): string => JSON.stringify(`${level}:${version}`)

function describe(policy: LevelVersion, found: readonly Violation[]): string {
  const parts = found.map(({ reason, detail }) => (detail === "" ? reason : `${reason} (${detail})`))
  return `violate PodSecurity ${nameOf(policy)}: ${parts.join(", ")}`
}

/** What the operator has decided. */
interface Configured extends AdmissionDeps {
  readonly defaults: Policy
  readonly exempt: Exemptions
}

export const podSecurity: AdmissionPlugin = {
  name: "PodSecurity",
  enabledByDefault: true,
  create(deps, configuration) {
    const configured: Configured = { ...deps, ...readPodSecurityConfiguration(configuration) }
    return {
      handles: (a) => (a.operation === "CREATE" || a.operation === "UPDATE") && validatorOf(a) !== undefined,
      validate: (a) => validatorOf(a)!(configured, a),
    }
  },
}

type Validator = (configured: Configured, a: AdmissionAttributes) => void

function validatorOf({ kind, subresource }: AdmissionAttributes): Validator | undefined {
  const resource = kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`
  if (resource === "pods") return ignoredSubresources.has(subresource) ? undefined : validatePod
  if (subresource !== "") return undefined
  if (resource === "namespaces") return validateNamespace
  return workloads.has(resource) ? validateWorkload : undefined
}

function policyIn({ get, defaults }: Configured, a: AdmissionAttributes): ReturnType<typeof policyOf> {
  return policyOf(get(namespace, { name: a.namespace })?.metadata.labels, defaults)
}

function validatePod(configured: Configured, a: AdmissionAttributes): void {
  if (isExempt(configured, a)) return
  const policy = policyIn(configured, a)
  const { enforce, warn } = policy
  const target = a.object as Pod
  if (a.operation === "UPDATE" && !isSignificant(target, a.oldObject as Readonly<Pod>)) return
  if (isExemptClass(configured, a, target)) return
  a.annotate(`${prefix}enforce-policy`, `${enforce.level}:${enforce.version}`)
  recordAbout(a, policy, target)
  const found = violations(enforce.level, target)
  if (found.length > 0) throw refusal(a, describe(enforce, found).replace(/^violate/, "violates"))
  warnAbout(a, warn, target)
}

function validateWorkload(configured: Configured, a: AdmissionAttributes): void {
  if (isExempt(configured, a)) return
  const policy = policyIn(configured, a)
  const target = templateOf(a.object!)
  if (!target) return
  const { warn, audit, errors } = policy
  if (errors.length === 0 && warn.level === "privileged" && audit.level === "privileged") return
  if (isExemptClass(configured, a, target)) return
  recordAbout(a, policy, target)
  warnAbout(a, warn, target)
}

/** Says in the audit log why something is left alone. */
function exempted(a: AdmissionAttributes, reason: string): true {
  a.annotate(`${prefix}exempt`, reason)
  return true
}

function isExempt({ exempt }: Configured, a: AdmissionAttributes): boolean {
  if (exempt.namespaces.has(a.namespace)) return exempted(a, "namespace")
  return exempt.usernames.has(a.user.name) && exempted(a, "user")
}

function isExemptClass({ exempt }: Configured, a: AdmissionAttributes, { spec }: PodLike): boolean {
  const { runtimeClassName } = spec
  return !!runtimeClassName && exempt.runtimeClasses.has(runtimeClassName) && exempted(a, "runtimeClass")
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
  const before = new Map(old.spec.ephemeralContainers?.map(({ name, image }) => [name, image]))
  return (
    differs(next.spec.containers, old.spec.containers) ||
    differs(next.spec.initContainers, old.spec.initContainers) ||
    (next.spec.ephemeralContainers ?? []).some(
      ({ name, image }) => !before.has(name) || before.get(name) !== image,
    )
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
function validateNamespace(configured: Configured, a: AdmissionAttributes): void {
  const { defaults, exempt, list } = configured
  const { labels } = a.object!.metadata
  const next = policyOf(labels, defaults)
  const refuse = (): never => {
    throw invalid({ group: "", kind: "Namespace" }, a.name, next.errors)
  }
  if (a.operation === "CREATE") {
    if (next.errors.length > 0) refuse()
    if (exempt.namespaces.has(a.name)) a.warnings.push(...ignoredPolicy(a.name, next, defaults, labels))
    return
  }
  const old = policyOf((a.oldObject as Readonly<Namespace>).metadata.labels, defaults)
  if (next.errors.length > 0 && !semanticEqual(next.errors, old.errors)) refuse()
  const { enforce } = next
  if (semanticEqual(enforce, old.enforce) || enforce.level === "privileged") return
  const isRelaxed = strictness(enforce.level) <= strictness(old.enforce.level)
  if (enforce.version === old.enforce.version && isRelaxed) return
  if (exempt.namespaces.has(a.name)) {
    a.warnings.push(...ignoredPolicy(a.name, next, defaults, labels))
    return
  }
  const pods = list(pod, a.name).filter(
    ({ spec }) => !spec.runtimeClassName || !exempt.runtimeClasses.has(spec.runtimeClassName),
  )
  a.warnings.push(...warningsAboutPods(enforce, a.name, pods))
}

/** What the labels of an exempt namespace ask for in vain. */
function ignoredPolicy(
  name: string,
  policy: Policy,
  defaults: Policy,
  labels: Readonly<Record<string, string>> = {},
): string[] {
  const modes = ["enforce", "audit", "warn"] as const
  const differs = ({ level, version }: LevelVersion, other: LevelVersion): boolean =>
    level !== other.level || (level !== "privileged" && version !== other.version)
  if (isPrivileged(policy) || !modes.some((mode) => differs(policy[mode], defaults[mode]))) return []
  const asked = modes.flatMap((mode) => {
    const { level, version } = policy[mode]
    const isLabelled = [mode, `${mode}-version`].some((label) => `${prefix}${label}` in labels)
    return level !== "privileged" && isLabelled ? `${mode}=${level}:${version}` : []
  })
  return [
    `namespace ${JSON.stringify(name)} is exempt from Pod Security, and the policy (${asked.join(", ")}) will be ignored`,
  ]
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
