/** What clients take and send. */
import { get, json, post, remove, tableHeaders, type Step } from "../../script.ts"
import { type Collection, named, objects, inNamespace } from "./collections.ts"

export function forms(one: Collection): Step[] {
  const at = inNamespace(one, "forms")
  const acceptTexts = [
    "application/json",
    "*/*",
    "application/*",
    "application/yaml",
    "text/html",
    "text/plain",
    "bogus",
    "",
    "application/json;q=0.5,application/yaml",
    "application/yaml,application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "application/json;as=Table;v=v9;g=meta.k8s.io",
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io",
    "application/json;as=Bogus;v=v1;g=meta.k8s.io",
    "application/yaml;as=Table;v=v1;g=meta.k8s.io",
    "application/json;stream=watch",
    "application/json;pretty=1",
    "application/json;charset=utf-8",
    "application/json;as=Table;g=meta.k8s.io",
    "application/cbor",
    "text/html,application/xhtml+xml,*/*;q=0.8",
    "APPLICATION/JSON",
    "application/json, */*",
  ]
  const contentTypes = [
    "application/json",
    "application/json; charset=utf-8",
    "application/yaml",
    "text/plain",
    "",
    "bogus",
    "application/xml",
    "APPLICATION/JSON",
    "application/cbor",
    "application/merge-patch+json",
    "application/json;as=Table",
    "application/x-www-form-urlencoded",
    "text/yaml",
    "application/apply-patch+yaml",
    "*/*",
  ]
  return [
    ...objects(one, "forms"),
    ...acceptTexts.flatMap((accept) => [
      get(`get as ${accept}`, `${at}/a-forms`, { accept }),
      get(`list as ${accept}`, `${at}?labelSelector=n=1`, { accept }),
      {
        ...post(`create as ${accept}`, `${at}?dryRun=All`, named(one, "new", "x", {})),
        headers: { ...json, accept },
      },
      get(`watch as ${accept}`, `${at}?watch=true&resourceVersion=\${rvd}&timeoutSeconds=1`, { accept }),
      { ...remove(`delete as ${accept}`, `${at}/a-forms?dryRun=All`), headers: { accept } },
      get(`nothing as ${accept}`, `${at}/nothing`, { accept }),
    ]),
    ...["Object", "Metadata", "None", "Bogus", ""].flatMap((include) => [
      get(
        `table of a list with ${include}`,
        `${at}?includeObject=${include}&labelSelector=n=1`,
        tableHeaders,
      ),
      get(`table of one with ${include}`, `${at}/a-forms?includeObject=${include}`, tableHeaders),
    ]),
    ...contentTypes.flatMap((type) => [
      post(
        `create from ${type}`,
        `${at}?dryRun=All`,
        named(one, "new", "x", {}),
        type === "" ? {} : { "content-type": type },
      ),
      {
        name: `patch from ${type}`,
        method: "PATCH",
        path: `${at}/a-forms?dryRun=All`,
        headers: type === "" ? {} : { "content-type": type },
        body: { metadata: { labels: { x: "y" } } },
      } as Step,
      {
        name: `delete from ${type}`,
        method: "DELETE",
        path: `${at}/a-forms?dryRun=All`,
        headers: type === "" ? {} : { "content-type": type },
        body: { kind: "DeleteOptions", apiVersion: "v1" },
      } as Step,
    ]),
  ]
}

export function accepts(): Step[] {
  const list = [
    "application/yaml",
    "text/html",
    "bogus",
    "*/*",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/vnd.kubernetes.protobuf",
    "text/plain",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/*",
    "",
  ]
  const targets = [
    "/api",
    "/apis",
    "/api/v1",
    "/apis/apps",
    "/apis/apps/v1",
    "/version",
    "/healthz",
    "/",
    "/nothing",
    "/api/v1/nothing",
    "/apis/none.example.com/v1",
    "/openapi/v3",
  ]
  return targets.flatMap((path) =>
    list
      .filter((accept) => !accept.includes("protobuf") || path === "/nothing")
      .map((accept) => get(`${path} ${accept}`, path, { accept })),
  )
}
