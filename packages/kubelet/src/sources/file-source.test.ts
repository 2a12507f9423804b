import assert from "node:assert/strict"
import { test } from "node:test"
import { parseManifest } from "./file-source.ts"

const manifest = (image: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  name: static\nspec:\n  containers:\n  - name: app\n    image: ${image}\n`

test("parseManifest makes a pod of the node", async () => {
  const pod = await parseManifest(manifest("a:1"), "/m/static.yaml", { nodeName: "n1" })
  assert.equal(pod.metadata.name, "static-n1")
  assert.equal(pod.metadata.namespace, "default")
  assert.equal(pod.spec.nodeName, "n1")
  assert.equal(pod.metadata.annotations!["kubernetes.io/config.source"], "file")
  assert.equal(pod.metadata.annotations!["kubernetes.io/config.hash"], pod.metadata.uid)
  assert.match(pod.metadata.uid, /^[0-9a-f]{32}$/)
  const again = await parseManifest(manifest("a:1"), "/m/static.yaml", { nodeName: "n1" })
  assert.equal(again.metadata.uid, pod.metadata.uid)
  const other = await parseManifest(manifest("a:2"), "/m/static.yaml", { nodeName: "n1" })
  assert.notEqual(other.metadata.uid, pod.metadata.uid)
  await assert.rejects(parseManifest("kind: Service\napiVersion: v1", "/m/x", { nodeName: "n1" }))
})
