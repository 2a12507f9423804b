/**
 * Gives every pod a service account, its token as a projected volume, and its image pull secrets.
 * Mirrors: plugin/pkg/admission/serviceaccount
 */
import { pod, serviceAccount } from "@knarr/api"
import type { Container, Pod, ServiceAccount, Volume } from "@knarr/api"
import { generateName } from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

const mirrorAnnotation = "kubernetes.io/config.mirror"
const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
const volumePrefix = "kube-api-access-"
/** An hour and 7 seconds: marks tokens whose lifetime the server may extend. */
const expirationSeconds = 3607

export const serviceAccountAdmission: AdmissionPlugin = {
  name: "ServiceAccount",
  enabledByDefault: true,
  create({ get, env }) {
    return {
      handles: (a) => a.operation === "CREATE" && a.kind === pod && a.subresource === "",
      admit(a) {
        const obj = a.object as Pod
        if (isMirror(obj)) return
        obj.spec.serviceAccountName ||= "default"
        const account = lookUp(a, obj.spec.serviceAccountName)
        if (automounts(obj, account)) mountToken(obj, () => generateName(volumePrefix, env.random))
        if ((obj.spec.imagePullSecrets?.length ?? 0) === 0 && (account.imagePullSecrets?.length ?? 0) > 0)
          obj.spec.imagePullSecrets = account.imagePullSecrets!.map((ref) => ({ ...ref }))
        obj.spec.serviceAccount = obj.spec.serviceAccountName
      },
      validate(a) {
        const obj = a.object as Pod
        if (isMirror(obj)) return validateMirror(a, obj)
        lookUp(a, obj.spec.serviceAccountName ?? "")
      },
    }

    function lookUp(a: AdmissionAttributes, name: string): Readonly<ServiceAccount> {
      if (name === "") throw refusal(a, `no service account specified for pod ${a.namespace}/${a.name}`)
      const found = get(serviceAccount, { namespace: a.namespace, name })
      if (found) return found
      throw refusal(
        a,
        `error looking up service account ${a.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
      )
    }
  },
}

function isMirror(obj: Pod): boolean {
  return obj.metadata.annotations?.[mirrorAnnotation] !== undefined
}

function validateMirror(a: AdmissionAttributes, obj: Pod): void {
  if (obj.spec.serviceAccountName) throw refusal(a, "a mirror pod may not reference service accounts")
  const containers = [...(obj.spec.initContainers ?? []), ...obj.spec.containers]
  const secret =
    (obj.spec.volumes ?? []).some((v) => v.secret || v.projected?.sources?.some((s) => s.secret)) ||
    containers.some(
      (c) => c.env?.some((e) => e.valueFrom?.secretKeyRef) || c.envFrom?.some((e) => e.secretRef),
    )
  if (secret) throw refusal(a, "a mirror pod may not reference secrets")
  if ((obj.spec.volumes ?? []).some((v) => v.projected?.sources?.some((s) => s.serviceAccountToken)))
    throw refusal(a, "a mirror pod may not use ServiceAccountToken volume projections")
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
