/** A kubectl command of the test's own: prints each widget's size. */
import { collectionPath } from "@knarr/client"
import { defineKubectlCommand } from "@knarr/kubectl"
import { widget, type Widget } from "./widget.kind.ts"

export const sizes = defineKubectlCommand({
  name: "sizes",
  summary: "Print the size of each widget",
  async run({ factory, out }) {
    const api = await factory.api()
    const { namespace } = await factory.namespace()
    const { items } = (await api.get(collectionPath(widget, namespace))) as unknown as { items: Widget[] }
    for (const { metadata, spec } of items) out(`${metadata.name} is ${spec.size}\n`)
  },
})
