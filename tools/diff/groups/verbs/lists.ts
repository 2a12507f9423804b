/** Selectors, pages and versions of lists, and watches. */
import { get, metadataHeaders, patch, quiet, remove, tableHeaders, type Step } from "../../script.ts"
import { type Collection, objects, inNamespace, metadataHeaders2 } from "./collections.ts"

const labelSelectors = [
  "n=1",
  "n==1",
  "n!=1",
  "n in (1,2)",
  "n notin (1,2)",
  "n",
  "!n",
  "even=true,n!=0",
  "n>1",
  "n<3",
  "n>x",
  "n in ()",
  "n=",
  "n in (1",
  "=1",
  "a/b/c=1",
  "n=%20",
  "n=1,,",
  "Bad Key=1",
  "n=bad value",
  "x".repeat(70),
  "n in (1,2),n notin (2)",
  ",",
  "n===1",
  "!n,n",
  "n gt 1",
]
const fieldSelectorTexts = [
  "metadata.name=a-lists",
  "metadata.name!=a-lists",
  "metadata.name==b-lists",
  "metadata.namespace=x",
  "metadata.uid=1",
  "spec.x=1",
  "metadata.name",
  "metadata.name=a-lists,metadata.name=b-lists",
  "metadata.name=a\\,b",
  "metadata.name=",
  "=a",
  "metadata.name in (a)",
  ",",
]

export function lists(one: Collection): Step[] {
  const at = inNamespace(one, "lists")
  const q = (query: string): string => `${at}?${query}`
  const sel = (text: string): string => encodeURIComponent(text)
  return [
    ...objects(one, "lists"),
    ...labelSelectors.map((text) => get(`labels ${text}`, q(`labelSelector=${sel(text)}`), metadataHeaders2)),
    ...fieldSelectorTexts.map((text) =>
      get(`fields ${text}`, q(`fieldSelector=${sel(text)}`), metadataHeaders2),
    ),
    ...["1", "2", "5", "6", "0", "-1", "", "x", "9223372036854775807", "9223372036854775808", "1.5"].map(
      (limit) => get(`limit "${limit}"`, q(`limit=${limit}`), metadataHeaders2),
    ),
    { ...get("page one", q("limit=2")), save: { next: "metadata.continue" } },
    { ...get("page two", q("limit=2&continue=${next}")), save: { last: "metadata.continue" } },
    get("page three", q("limit=2&continue=${last}")),
    get("continue with a selector", q("limit=1&labelSelector=n!=9&continue=${next}"), metadataHeaders2),
    get("continue with a version", q("limit=2&continue=${next}&resourceVersion=${rva}")),
    get("continue with version 0", q("limit=2&continue=${next}&resourceVersion=0")),
    get("continue with a match", q("limit=2&continue=${next}&resourceVersionMatch=Exact")),
    get("continue nonsense", q("limit=2&continue=nonsense")),
    get("continue bad json", q(`limit=2&continue=${Buffer.from("{}").toString("base64url")}`)),
    get("page as a table", q("limit=2"), tableHeaders),
    get("page of one by name", q("limit=1&fieldSelector=metadata.name=a-lists"), metadataHeaders2),
    get("page of one by label", q("limit=1&labelSelector=even=true"), metadataHeaders2),
    ...["", "0", "1", "${rva}", "${rvc}", "${rve}", "x", "-1", "99999999"].flatMap((version) =>
      ["", "Exact", "NotOlderThan", "Bogus"].map((match) =>
        get(
          `version ${version} ${match}`,
          q(`resourceVersion=${version}${match === "" ? "" : `&resourceVersionMatch=${match}`}`),
          metadataHeaders2,
        ),
      ),
    ),
    get("version 0, a page", q("resourceVersion=0&limit=2"), metadataHeaders2),
    get(
      "an exact version, a page",
      q("resourceVersion=${rvc}&resourceVersionMatch=Exact&limit=2"),
      metadataHeaders2,
    ),
    get("a match alone", q("resourceVersionMatch=Exact")),
    ...["0", "${rva}", "x", "99999999"].map((version) =>
      get(`get at ${version}`, `${at}/a-lists?resourceVersion=${version}`),
    ),
    get("unknown parameter", q("unknown=1"), metadataHeaders2),
    get("pretty", q("pretty=true&labelSelector=n=1")),
    get("pretty in another word", q("pretty=1&labelSelector=n=1")),
    get("send initial events without watch", q("sendInitialEvents=true")),
    get("a time-out", q("timeoutSeconds=x"), metadataHeaders2),
    get("a time-out below zero", q("timeoutSeconds=-1"), metadataHeaders2),
    get("bookmarks in another word", q("allowWatchBookmarks=maybe"), metadataHeaders2),
    get("watch in another word", q("watch=maybe&limit=1&timeoutSeconds=1")),
    get("shard selector", q("shardSelector=x"), metadataHeaders2),
  ]
}

export function watches(one: Collection): Step[] {
  const at = inNamespace(one, "watches")
  const w = (name: string, query: string, headers?: Record<string, string>): Step =>
    get(name, `${at}?watch=true&timeoutSeconds=1&${query}`, headers)
  return [
    ...objects(one, "watches"),
    quiet(patch("change", `${at}/b-watches`, "merge", { metadata: { labels: { n: "9" } } })),
    quiet(remove("gone", `${at}/c-watches?gracePeriodSeconds=0`)),
    w("from the first", "resourceVersion=${rva}"),
    w("from version 0", "resourceVersion=0"),
    w("from no version", ""),
    w("by label", "resourceVersion=${rva}&labelSelector=n=1"),
    w("by another label", "resourceVersion=${rva}&labelSelector=n=9"),
    w("by name", "resourceVersion=${rva}&fieldSelector=metadata.name=d-watches"),
    w("as a table", "resourceVersion=${rvd}", tableHeaders),
    w("as metadata", "resourceVersion=${rva}", metadataHeaders),
    w("with bookmarks", "resourceVersion=${rve}&allowWatchBookmarks=true"),
    w("initial events", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"),
    w("initial events, no bookmarks", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
    w(
      "initial events, malformed bookmarks",
      "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=maybe",
    ),
    w("initial events without a match", "sendInitialEvents=true"),
    w("initial events, exact", "sendInitialEvents=true&resourceVersionMatch=Exact"),
    w(
      "no initial events",
      "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=${rvd}",
    ),
    w("a match alone", "resourceVersionMatch=NotOlderThan"),
    w("continue", "continue=x"),
    w("limit", "limit=1&resourceVersion=${rvd}"),
    w("a version that is none", "resourceVersion=x"),
    w("a version to come", "resourceVersion=99999999"),
    w("an old version", "resourceVersion=1"),
    w("a bad selector", "labelSelector=n in ("),
    w("a bad field", "fieldSelector=spec.nothing=1"),
    get("one", `${at}/a-watches?watch=true&timeoutSeconds=1&resourceVersion=\${rva}`),
    get("by the old path", `${at.replace("/v1/", "/v1/watch/")}?timeoutSeconds=1&resourceVersion=\${rvd}`),
    get(
      "one by the old path",
      `${at.replace("/v1/", "/v1/watch/")}/d-watches?timeoutSeconds=1&resourceVersion=\${rvc}`,
    ),
    w("pretty", "resourceVersion=${rvd}&pretty=true"),
  ]
}
