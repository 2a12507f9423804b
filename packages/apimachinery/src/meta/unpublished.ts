/**
 * Shapes that are served or stored and that OpenAPI does not publish: what is shown of any object and of all resources, and
 * what servers keep for themselves.
 */
import { defineSchemas } from "../schema.ts"

defineSchemas("io.k8s.apimachinery.pkg.apis.meta.v1", {
  GroupVersionKind: { group: "1 string", kind: "3 string", version: "2 string" },
  PartialObjectMetadata: { apiVersion: "string", kind: "string", metadata: "1 ObjectMeta" },
})

defineSchemas("io.k8s.api.apidiscovery.v2", {
  APIGroupDiscovery: {
    apiVersion: "string",
    kind: "string",
    metadata: "1 io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    versions: "2 []APIVersionDiscovery",
  },
  APIGroupDiscoveryList: {
    apiVersion: "string",
    items: "2 []APIGroupDiscovery",
    kind: "string",
    metadata: "1 io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta",
  },
  APIResourceDiscovery: {
    categories: "7 []string",
    resource: "1 string",
    responseKind: "2 io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionKind pointer",
    scope: "3 string",
    shortNames: "6 []string",
    singularResource: "4 string",
    subresources: "8 []APISubresourceDiscovery",
    verbs: "5 []string",
  },
  APISubresourceDiscovery: {
    acceptedTypes: "3 []io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionKind",
    responseKind: "2 io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionKind pointer",
    subresource: "1 string",
    verbs: "4 []string",
  },
  APIVersionDiscovery: { freshness: "3 string", resources: "2 []APIResourceDiscovery", version: "1 string" },
})

defineSchemas("io.k8s.api.core.v1", {
  RangeAllocation: {
    apiVersion: "string",
    data: "3 bytes",
    kind: "string",
    metadata: "1 io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta",
    range: "2 string",
  },
})
