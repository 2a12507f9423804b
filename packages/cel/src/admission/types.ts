/**
 * Types of what admission gives to expressions: the request, and the namespace of its object.
 * Mirrors: apiserver pkg/admission/plugin/cel/compile.go (BuildRequestType, BuildNamespaceType)
 */
import type { StructType } from "../check/scope.ts"
import {
  boolType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  structOf,
  timestampType,
  type CelType,
} from "../check/types.ts"

function struct(name: string, fields: Readonly<Record<string, CelType>>): StructType {
  return {
    type: structOf(`kubernetes.${name}`),
    field: (field) => (Object.hasOwn(fields, field) ? fields[field] : undefined),
  }
}

const texts = (...names: string[]): Record<string, CelType> =>
  Object.fromEntries(names.map((name) => [name, stringType]))

const groupVersionKind = struct("GroupVersionKind", texts("group", "version", "kind"))
const groupVersionResource = struct("GroupVersionResource", texts("group", "version", "resource"))
const userInfo = struct("UserInfo", {
  ...texts("username", "uid"),
  groups: listOf(stringType),
  extra: mapOf(stringType, listOf(stringType)),
})
const request = struct("AdmissionRequest", {
  ...texts("subResource", "requestSubResource", "name", "namespace", "operation"),
  kind: groupVersionKind.type,
  resource: groupVersionResource.type,
  requestKind: groupVersionKind.type,
  requestResource: groupVersionResource.type,
  userInfo: userInfo.type,
  dryRun: boolType,
  options: dynType,
})

const namespaceCondition = struct("NamespaceCondition", {
  ...texts("status", "type", "message", "reason"),
  lastTransitionTime: timestampType,
})
const namespaceMetadata = struct("NamespaceMetadata", {
  ...texts("name", "generateName", "namespace", "UID", "resourceVersion"),
  labels: mapOf(stringType, stringType),
  annotations: mapOf(stringType, stringType),
  creationTimestamp: timestampType,
  deletionGracePeriodSeconds: intType,
  deletionTimestamp: timestampType,
  generation: intType,
  finalizers: listOf(stringType),
})
const namespaceSpec = struct("NamespaceSpec", { finalizers: listOf(stringType) })
const namespaceStatus = struct("NamespaceStatus", {
  conditions: listOf(namespaceCondition.type),
  phase: stringType,
})
const namespace = struct("Namespace", {
  metadata: namespaceMetadata.type,
  spec: namespaceSpec.type,
  status: namespaceStatus.type,
})

export const requestType: CelType = request.type
export const namespaceType: CelType = namespace.type

/** Every one of them, for an environment. */
export const admissionStructs: readonly StructType[] = [
  groupVersionKind,
  groupVersionResource,
  userInfo,
  request,
  namespaceCondition,
  namespaceMetadata,
  namespaceSpec,
  namespaceStatus,
  namespace,
]
