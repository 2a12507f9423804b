/** A kind of the test's own. */
import { defineKind, defineSchemas, type Kind, type ObjectMeta } from "@knarr/apimachinery"

export interface Widget {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec: { size: number; color?: string | undefined }
  status: { parts?: number | undefined }
}

defineSchemas("com.example.toys.v1", {
  Widget: {
    apiVersion: "string",
    kind: "string",
    metadata: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta default={}",
    spec: "WidgetSpec required default={}",
    status: "WidgetStatus default={}",
  },
  WidgetSpec: { color: "string", size: "int32 required" },
  WidgetStatus: { parts: "int32" },
})

export const widget: Kind<Widget> = defineKind<Widget>({
  group: "toys.example.com",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  shortNames: ["wd"],
  namespaced: true,
  subresources: ["status"],
  schema: "com.example.toys.v1.Widget",
  setDefaults(obj) {
    obj.spec.color ??= "red"
  },
  validate: (obj) =>
    obj.spec.size > 0
      ? []
      : [
          {
            type: "FieldValueInvalid",
            field: "spec.size",
            value: obj.spec.size,
            detail: "must be greater than 0",
          },
        ],
  columns: [
    { name: "Size", type: "integer", read: (obj) => obj.spec.size },
    { name: "Color", type: "string", read: (obj) => obj.spec.color ?? "" },
  ],
})
