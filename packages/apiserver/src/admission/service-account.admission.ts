/**
 * Gives every pod a service account, its token as a projected volume, and its image pull secrets; holds pods to
 * the secrets of an account that asks for that. Mirrors: plugin/pkg/admission/serviceaccount
 */
import { serviceAccount } from "@knarr/api"
import type { Container, EphemeralContainer, Pod, ServiceAccount, Volume } from "@knarr/api"
import { generateName } from "@knarr/apimachinery"
import { isMirrorPod, podSecrets } from "@knarr/pod-rules"
import type { AdmissionAttributes, AdmissionPlugin } from "../contract.ts"
import { isResource } from "./is-resource.ts"
import { refusal } from "./refuse.ts"

const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
const volumePrefix = "kube-api-access-"
const enforceAnnotation = "kubernetes.io/enforce-mountable-secrets"
/** An hour and 7 seconds: marks tokens whose lifetime the server may extend. */
const expirationSeconds = 3607

export const serviceAccountAdmission: AdmissionPlugin = {
  name: "ServiceAccount",
  enabledByDefault: true,
  create({ get, env }) {
    return {
      handles: (a) =>
        (a.operation === "CREATE" && isResource(a, "", "pods")) ||
        (a.operation === "UPDATE" && isResource(a, "", "pods", "ephemeralcontainers")),
      admit(a) {
        if (a.operation !== "CREATE") return
        const obj = a.object as Pod
        if (isMirrorPod(obj)) return validateMirror(a, obj)
        obj.spec.serviceAccountName ||= "default"
        const account = lookUp(a, obj.spec.serviceAccountName)
        if (automounts(obj, account)) mountToken(obj, () => generateName(volumePrefix, env.random))
        if ((obj.spec.imagePullSecrets?.length ?? 0) === 0 && (account.imagePullSecrets?.length ?? 0) > 0)
          obj.spec.imagePullSecrets = account.imagePullSecrets!.map((ref) => ({ ...ref }))
        obj.spec.serviceAccount = obj.spec.serviceAccountName
        validatePod(a, obj)
      },
      validate: (a) => validatePod(a, a.object as Pod),
    }

    function validatePod(a: AdmissionAttributes, obj: Pod): void {
      const created = a.operation === "CREATE"
      if (created && isMirrorPod(obj)) return validateMirror(a, obj)
      const account = lookUp(a, obj.spec.serviceAccountName ?? "")
      if (!enforcesMountableSecrets(account)) return
      const problem = created ? unlistedSecret(account, obj) : unlistedEphemeralSecret(account, obj)
      if (problem !== undefined) throw refusal(a, problem)
    }

    function lookUp(a: AdmissionAttributes, name: string): Readonly<ServiceAccount> {
      if (name === "")
        throw refusal(
          a,
          `no service account specified for pod ${a.namespace}/${a.object!.metadata.name ?? ""}`,
        )
      const found = get(serviceAccount, { namespace: a.namespace, name })
      if (found) return found
      throw refusal(
        a,
        `error looking up service account ${a.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
      )
    }
  },
}

function validateMirror(a: AdmissionAttributes, obj: Pod): void {
  if (obj.spec.serviceAccountName) throw refusal(a, "a mirror pod may not reference service accounts")
  if (podSecrets(obj).size > 0) throw refusal(a, "a mirror pod may not reference secrets")
  if ((obj.spec.volumes ?? []).some((v) => v.projected?.sources?.some((s) => s.serviceAccountToken)))
    throw refusal(a, "a mirror pod may not use ServiceAccountToken volume projections")
}

/** Go's strconv.ParseBool; what is neither is false. */
function enforcesMountableSecrets({ metadata }: Readonly<ServiceAccount>): boolean {
  return ["1", "t", "T", "true", "TRUE", "True"].includes(metadata.annotations?.[enforceAnnotation] ?? "")
}

const mountable = (account: Readonly<ServiceAccount>): Set<string> =>
  new Set((account.secrets ?? []).map(({ name }) => name ?? ""))

/** Why the pod may not be, for a secret that its account does not list. */
function unlistedSecret(account: Readonly<ServiceAccount>, { spec }: Pod): string | undefined {
  const listed = mountable(account)
  const { name } = account.metadata
  for (const { secret } of spec.volumes ?? []) {
    if (secret && !listed.has(secret.secretName ?? ""))
      return `volume with secret.secretName="${secret.secretName ?? ""}" is not allowed because service account ${name} does not reference that secret`
  }
  const inContainers =
    unlistedInContainers("init container", spec.initContainers, listed, name) ??
    unlistedInContainers("container", spec.containers, listed, name)
  if (inContainers !== undefined) return inContainers
  const pullSecrets = new Set((account.imagePullSecrets ?? []).map((ref) => ref.name))
  for (const [i, ref] of (spec.imagePullSecrets ?? []).entries()) {
    if (!pullSecrets.has(ref.name))
      return `imagePullSecrets[${i}].name="${ref.name ?? ""}" is not allowed because service account ${name} does not reference that imagePullSecret`
  }
  return undefined
}

function unlistedEphemeralSecret(account: Readonly<ServiceAccount>, { spec }: Pod): string | undefined {
  return unlistedInContainers(
    "ephemeral container",
    spec.ephemeralContainers,
    mountable(account),
    account.metadata.name,
  )
}

function unlistedInContainers(
  what: string,
  containers: readonly (Container | EphemeralContainer)[] | undefined,
  listed: ReadonlySet<string>,
  account: string,
): string | undefined {
  const because = `is not allowed because service account ${account} does not reference that secret`
  for (const container of containers ?? []) {
    for (const { name, valueFrom } of container.env ?? []) {
      const secret = valueFrom?.secretKeyRef
      if (secret && !listed.has(secret.name ?? ""))
        return `${what} ${container.name} with envVar ${name} referencing secret.secretName="${secret.name ?? ""}" ${because}`
    }
    for (const { secretRef } of container.envFrom ?? []) {
      if (secretRef && !listed.has(secretRef.name ?? ""))
        return `${what} ${container.name} with envFrom referencing secret.secretName="${secretRef.name ?? ""}" ${because}`
    }
  }
  return undefined
}

function automounts(obj: Pod, account: Readonly<ServiceAccount>): boolean {
  return obj.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true
}

function mountToken(obj: Pod, newName: () => string): void {
  const present = obj.spec.volumes?.find((volume) => volume.name.startsWith(volumePrefix))
  let name = present?.name
  const mount = (container: Container): void => {
    if (container.volumeMounts?.some((m) => m.mountPath === mountPath)) return
    name ??= newName()
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }]
    used = true
  }
  let used = false
  obj.spec.initContainers?.forEach(mount)
  obj.spec.containers.forEach(mount)
  if (used && !present) obj.spec.volumes = [...(obj.spec.volumes ?? []), tokenVolume(name!)]
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    },
  }
}
