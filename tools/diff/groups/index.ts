/** Every script, group by group; what a server says of itself comes first, before anything is written. */
import type { GroupName, Script } from "../script.ts"
import { contentScripts } from "./content.ts"
import { customScripts } from "./custom.ts"
import { goldenScripts } from "./golden.ts"
import { minimalScripts } from "./minimal.ts"
import { oneWrongScripts } from "./one-wrong.ts"
import { policyScripts } from "./policies.ts"
import { readonlyScripts } from "./readonly.ts"
import { subresourceScripts } from "./subresources.ts"
import { updateScripts } from "./update.ts"
import { verbScripts } from "./verbs.ts"

export const groups: readonly { readonly name: GroupName; scripts(): Script[] }[] = [
  { name: "readonly", scripts: readonlyScripts },
  { name: "golden", scripts: goldenScripts },
  { name: "minimal", scripts: minimalScripts },
  { name: "onewrong", scripts: oneWrongScripts },
  { name: "update", scripts: updateScripts },
  { name: "verbs", scripts: verbScripts },
  { name: "subresources", scripts: subresourceScripts },
  { name: "custom", scripts: customScripts },
  { name: "policies", scripts: policyScripts },
  { name: "content", scripts: contentScripts },
]
