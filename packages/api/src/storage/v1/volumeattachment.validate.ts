/** Validation of volume attachments. Mirrors: pkg/apis/storage/validation/validation.go (ValidateVolumeAttachment) */
import {
  byteLength,
  field,
  isDNS1123SubdomainCaseless,
  nameIsDNSSubdomain,
  rangeMessage,
  semanticEqual,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { declaredReasons, immutableMessage, maxInt32, reasons } from "../../checks.ts"
import { validateVolumeSpec } from "../../core/v1/persistent-volume.validate.ts"
import type { VolumeAttachment, VolumeAttachmentSource, VolumeError } from "./types.gen.ts"

/** Bytes of all names and values. */
const maxMetadataSize = 256 * 1024
const maxMessageSize = 1024
const maxAttacherLength = 63
const exactlyOne = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"

export function validateVolumeAttachment({ spec, status }: Readonly<VolumeAttachment>): FieldError[] {
  const { source, nodeName = "" } = spec
  const out = validateSource("spec.source", source ?? {})
  out.push(...reasons("spec.nodeName", nodeName, nameIsDNSSubdomain(nodeName, false)))
  let size = 0
  for (const [name, value] of Object.entries(status?.attachmentMetadata ?? {}))
    size += byteLength(name) + byteLength(value)
  if (size > maxMetadataSize) out.push(field.tooLong("status.attachmentMetadata", "", maxMetadataSize))
  out.push(
    ...validateVolumeError("status.attachError", status?.attachError),
    ...validateVolumeError("status.detachError", status?.detachError),
  )
  const volume = source?.persistentVolumeName
  if (volume !== undefined)
    out.push(...reasons("spec.source.persistentVolumeName", volume, nameIsDNSSubdomain(volume, false)))
  return [...out, ...validateAttacher("spec.attacher", spec.attacher)]
}

function validateAttacher(path: string, name: string | undefined): FieldError[] {
  if (!name) return [field.required(path, "")]
  const out = declaredReasons(path, name, isDNS1123SubdomainCaseless(name))
  if (name.length > maxAttacherLength) out.push(field.tooLongCharacters(path, "", maxAttacherLength))
  return out
}

function validateSource(path: string, source: VolumeAttachmentSource): FieldError[] {
  const { inlineVolumeSpec, persistentVolumeName } = source
  if (inlineVolumeSpec && persistentVolumeName !== undefined) return [field.forbidden(path, exactlyOne)]
  if (inlineVolumeSpec) return validateVolumeSpec(`${path}.inlineVolumeSpec`, inlineVolumeSpec, "inline")
  if (persistentVolumeName === undefined) return [field.required(path, exactlyOne)]
  return persistentVolumeName
    ? []
    : [field.required(`${path}.persistentVolumeName`, "must specify non empty persistentVolumeName")]
}

function validateVolumeError(path: string, error: VolumeError | undefined): FieldError[] {
  const out: FieldError[] = []
  if (byteLength(error?.message ?? "") > maxMessageSize)
    out.push(field.tooLong(`${path}.message`, "", maxMessageSize))
  const code = error?.errorCode
  if (code !== undefined && code < 0)
    out.push(field.invalid(`${path}.errorCode`, code, rangeMessage(0, maxInt32)))
  return out
}

export function validateVolumeAttachmentUpdate(
  { spec }: Readonly<VolumeAttachment>,
  old: Readonly<VolumeAttachment>,
): FieldError[] {
  return semanticEqual(spec, old.spec) ? [] : [field.invalid("spec", null, immutableMessage)]
}
