/** A preview of an application: it runs for some hours, and then it goes. */
import { defineKind, defineSchemas, type Kind, type ObjectMeta } from "knarr/apimachinery"

export interface Preview {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec: { image: string; hours: number }
  status: { phase?: "Running" | "Over" | undefined }
}

defineSchemas("com.example.previews.v1", {
  Preview: {
    apiVersion: "string",
    kind: "string",
    metadata: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta default={}",
    spec: "PreviewSpec required default={}",
    status: "PreviewStatus default={}",
  },
  PreviewSpec: { image: "string required", hours: "int32 required" },
  PreviewStatus: { phase: "string" },
})

export const preview: Kind<Preview> = defineKind<Preview>({
  group: "previews.example.com",
  version: "v1",
  kind: "Preview",
  plural: "previews",
  namespaced: true,
  subresources: ["status"],
  schema: "com.example.previews.v1.Preview",
})
