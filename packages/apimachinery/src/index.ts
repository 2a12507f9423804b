import "./meta/schema.gen.ts"
import "./meta/unpublished.ts"

export type * from "./meta/types.gen.ts"
export {
  type Column,
  type Kind,
  type KindSpec,
  type KubeObject,
  type StrategyContext,
  type Subresource,
  type UserInfo,
  type Verb,
  allVerbs,
  defineKind,
} from "./kind.ts"
export { sameKind, sameResource } from "./kind-identity.ts"
export {
  type Field,
  type Schema,
  type SchemaTable,
  type SchemaType,
  defineSchemas,
  schemaNames,
  schemaOf,
  schemaOfType,
} from "./schema.ts"
export { inGoOrder } from "./go-order.ts"
export { zeroValue } from "./zero-value.ts"
export { printEmpties, settleEmpties } from "./empties.ts"
export { schemaFingerprint } from "./schema-fingerprint.ts"
export {
  type FieldError,
  type FieldErrorType,
  aggregateMessage,
  distinctErrors,
  fieldErrorBody,
  fieldErrorMessage,
} from "./field-error.ts"
/** Problems of fields and paths to them: `field.invalid(field.child("spec", "replicas"), -1, "…")`. */
export * as field from "./field-error.ts"
export {
  type GroupKind,
  StatusError,
  alreadyExists,
  applyConflict,
  badRequest,
  conflict,
  forbidden,
  generateNameConflict,
  genericServerResponse,
  gone,
  groupKindText,
  groupResourceText,
  internalError,
  invalid,
  methodNotSupported,
  notAcceptable,
  notFound,
  optimisticLockMessage,
  pathNotFound,
  requestEntityTooLarge,
  resourceExpired,
  serverTimeout,
  serviceUnavailable,
  statusErrorFrom,
  timeout,
  tooManyRequests,
  unauthorized,
  unexpectedError,
  unsupportedMediaType,
} from "./status.ts"
export {
  hasStatusCause,
  isAlreadyExists,
  isBadRequest,
  isConflict,
  isExpired,
  isForbidden,
  isGone,
  isInternalError,
  isInvalid,
  isMethodNotSupported,
  isNotAcceptable,
  isNotFound,
  isRequestEntityTooLarge,
  isServerTimeout,
  isServiceUnavailable,
  isTimeout,
  isTooManyRequests,
  isUnauthorized,
  isUnexpectedServerError,
  isUnsupportedMediaType,
  reasonOf,
  statusOf,
  suggestsClientDelay,
} from "./status-predicates.ts"
export { goTimeError } from "./go-time-error.ts"
export { canonicalMicroTime, canonicalTime, formatMicroTime, formatTime, parseTime } from "./time.ts"
export {
  formatGoDuration,
  goNanoseconds,
  humanDuration,
  parseGoDuration,
  shortHumanDuration,
} from "./duration.ts"
export {
  type QuantityFormat,
  Quantity,
  canonicalQuantity,
  compareQuantities,
  parseQuantity,
  zeroQuantity,
} from "./quantity.ts"
export {
  aggregate,
  byteLength,
  compareBytes,
  goJson,
  goList,
  goQuote,
  goTypeOf,
  goValue,
} from "./go-format.ts"
export { goRegexp } from "./go-regexp.ts"
export {
  type ValidateName,
  isCIdentifier,
  isConfigMapKey,
  isDNS1035Label,
  isDNS1123Label,
  isDNS1123Subdomain,
  isDNS1123SubdomainCaseless,
  isDNS1123SubdomainWithUnderscore,
  isEnvVarName,
  isHTTPHeaderName,
  isInRange,
  isPathSegmentName,
  isPathSegmentPrefix,
  isQualifiedName,
  isRelaxedEnvVarName,
  isValidConditionReason,
  isValidGroupID,
  isValidLabelValue,
  isValidPercent,
  isValidPortName,
  isValidPortNum,
  isValidUserID,
  isWildcardDNS1123Subdomain,
  maxLabelLength,
  maxLengthMessage,
  maxSubdomainLength,
  nameIsDNS1035Label,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  nameIsPathSegment,
  rangeMessage,
  regexMessage,
} from "./names.ts"
export {
  isDomainPrefixedKey,
  isDomainPrefixedPath,
  isFullyQualifiedDomainName,
  isFullyQualifiedName,
} from "./qualified-fields.ts"
export { fnv1_32, fnv1a32, generateName, randomSuffix, safeEncodeString } from "./generate-name.ts"
export {
  type IPAddress,
  type IPNetwork,
  formatCIDR,
  formatIP,
  ipFamily,
  isIPv4Mapped,
  isValidCIDR,
  isValidIP,
  networkAddress,
  networkContains,
  parseCIDR,
  parseIP,
  validateCIDR,
  validateIP,
  validateInterfaceAddress,
  validateLegacyCIDR,
  validateLegacyIP,
  warningsForCIDR,
  warningsForIP,
} from "./ip.ts"
export {
  type AddressText,
  type HostNameText,
  type HostText,
  type HostWord,
  type IPv4Address,
  type IPv4Network,
  type IPv6Address,
  type IPv6Network,
  type NetworkText,
  type LinkName,
  type NameText,
  type PortNumber,
  type TransportProtocol,
  addressIn,
  holds,
  ipv4Address,
  ipv4Network,
  joined,
  line,
  linkName,
  nameText,
  numberOf,
  overlap,
  quoted,
  readAddress,
  readHostName,
  readIPv4,
  readIPv4Network,
  readPort,
  readProtocol,
  spanOf,
} from "./host-text.ts"
export {
  type IPFamily,
  addressAndPort,
  addressInName,
  familyOf,
  ipFamilies,
  ipv4,
  ipv6,
} from "./ip-family.ts"
export {
  fieldImmutableMessage,
  totalAnnotationSizeLimit,
  validateAnnotations,
  validateFieldManager,
  validateFinalizerName,
  validateFinalizers,
  validateKnownFinalizers,
  validateImmutable,
  validateLabelName,
  validateLabelSelector,
  validateSelectorRequirement,
  validateLabels,
  validateManagedFields,
  validateNoNewFinalizers,
  validateNonnegative,
  validateObjectMeta,
  validateObjectMetaUpdate,
  validateOwnerReferences,
} from "./object-meta.validate.ts"
export {
  type Labels,
  type Selector,
  everything,
  formatLabelSelector,
  labelRequirement,
  labelRequirementErrors,
  nothing,
  parseSelector,
  parseToLabelSelector,
  selectorFrom,
  selectorFromLabels,
  selectorOf,
} from "./label-selector.ts"
export type { LabelOperator, LabelRequirement } from "./label-requirement.ts"
export {
  type FieldRequirement,
  type FieldSelector,
  escapeFieldValue,
  everyField,
  fieldSelectorOf,
  parseFieldSelector,
} from "./field-selector.ts"
export {
  DecodeError,
  type DecodeOptions,
  type Decoded,
  decodeJson,
  decodeObject,
  strictErrorMessage,
} from "./decode.ts"
export { scanStrict } from "./json-strict.ts"
export { type Pruned, pruneUnknown } from "./prune.ts"
export { type SchemaDefaultsOptions, applySchemaDefaults } from "./schema-defaults.ts"
export { deepClone, setOwn, deepEqual, deepFreeze, semanticEqual } from "./deep.ts"
export {
  type GroupVersion,
  type Ref,
  controllerOf,
  groupVersionText,
  isControlledBy,
  isOwnedBy,
  newControllerRef,
  objectKey,
  parseGroupVersion,
  parseKey,
  refKey,
  refOf,
} from "./references.ts"
export {
  findCondition,
  isConditionFalse,
  isConditionTrue,
  removeCondition,
  setCondition,
} from "./conditions.ts"
export {
  type IntOrString,
  intOrStringText,
  intOrStringValue,
  parseIntOrString,
  scaledValueFromIntOrPercent,
} from "./int-or-string.ts"
export { type JSONPath, type JSONPathOptions, parseJSONPath, relaxedJSONPath } from "./jsonpath.ts"
export {
  type ImageName,
  formatImageName,
  imageRepository,
  imageTag,
  normalizeImageName,
  parseImageName,
} from "./image-name.ts"
export { type YamlParser, loadYaml, splitYamlDocuments } from "./yaml.ts"
export type { YamlOptions } from "./yaml-parse.ts"
export { stringifyYaml } from "./yaml-print.ts"
export {
  type JSONPatchOperation,
  applyJSONPatch,
  maxJSONPatchCopyBytes,
  maxJSONPatchOperations,
} from "./patch/json-patch.ts"
export { type JsonObject, isObject, jsonClone, jsonEqual } from "./patch/json-value.ts"
export { hasConflicts } from "./patch/merge-conflict.ts"
export {
  applyMergePatch,
  createMergePatch,
  createThreeWayMergePatch as createThreeWayJSONMergePatch,
} from "./patch/merge-patch.ts"
export { PatchError, type PatchErrorKind } from "./patch/patch-error.ts"
export { applyStrategicMergePatch } from "./patch/strategic.ts"
export {
  createThreeWayMergePatch,
  createTwoWayMergePatch,
  strategicPatchesConflict,
} from "./patch/strategic-diff.ts"
export { atomicPaths } from "./apply/atomics.ts"
export { type Comparison, compare, fieldSetOf } from "./apply/compare.ts"
export { FieldSet, FieldSetBuilder, type FieldsNode } from "./apply/field-set.ts"
export { type ManagedFieldsContext, type ResetFields } from "./apply/field-updater.ts"
export { lastAppliedAnnotation, lastAppliedFields, sortKeys } from "./apply/last-applied.ts"
export {
  type Applied,
  applyConfig,
  conversionError,
  equalButManagedTimes,
  updateManagers,
} from "./apply/managed-fields.ts"
export { type Owner, type Owners, readOwners, writeOwners } from "./apply/managers.ts"
export { merge as mergeTyped } from "./apply/merge.ts"
export { extractItems, removeItems } from "./apply/remove.ts"
export { deducedSchema } from "./apply/shape.ts"
export { problemsText, validateTyped } from "./apply/validate.ts"
export {
  type ProtobufEnvelope,
  decodeProtobuf,
  isProtobufDocument,
  openProtobufEnvelope,
} from "./protobuf.ts"
export {
  encodeProtobuf,
  encodeProtobufDocument,
  encodeProtobufField,
  protobufEnvelopeEnd,
  protobufEnvelopeStart,
} from "./protobuf-encode.ts"
