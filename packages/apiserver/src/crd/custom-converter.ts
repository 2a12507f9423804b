/**
 * How the objects of a custom resource come from one version into another: as they are, or by a webhook; what comes out is
 * read by the rules of its version. Mirrors: apiextensions pkg/apiserver/conversion/{converter,nop_converter}.go
 */
import type { CustomResourceDefinition } from "@knarr/api"
import { decodeObject, type Kind, type KubeObject } from "@knarr/apimachinery"
import { whenReady, type Random } from "@knarr/base"
import type { OutboundCall } from "../contract.ts"
import { setObjectDefaults } from "../registry/defaults.ts"
import type { Converter } from "../registry/converter.ts"
import { webhookConverter } from "./webhook-converter.ts"

/** Nothing but the version changes. */
const unchanged: Converter = {
  waits: false,
  convert: (objects, to) =>
    objects.map((object) =>
      object.apiVersion === to.apiVersion ? object : { ...object, apiVersion: to.apiVersion },
    ),
}

/** What the definition says of conversion. */
export function customConverter(
  { spec: { conversion } }: Readonly<CustomResourceDefinition>,
  { call, random }: { readonly call: OutboundCall; readonly random: Random },
): Converter {
  const webhook = conversion?.strategy === "Webhook" ? conversion.webhook : undefined
  const base = webhook ? webhookConverter({ webhook, call, random }) : unchanged
  return {
    waits: base.waits,
    convert: (objects, to, signal) =>
      whenReady(base.convert(objects, to, signal), (converted) =>
        converted.map((object, i) => (object === objects[i] ? object : readAs(to, object))),
      ),
  }
}

function readAs(kind: Kind, value: KubeObject): KubeObject {
  const { object } = decodeObject<KubeObject>(kind.schema, value)
  setObjectDefaults(kind, object, 0)
  return object
}
