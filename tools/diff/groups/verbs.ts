/** How things are asked for: selectors, pages, versions, watches, dry runs, forms, paths and methods. */
import type { Script } from "../script.ts"
import { collections } from "./verbs/collections.ts"
import { accepts, forms } from "./verbs/forms.ts"
import { lists, watches } from "./verbs/lists.ts"
import { fieldSelectors, methods, paths } from "./verbs/paths.ts"
import { options, patches } from "./verbs/writes.ts"

export function verbScripts(): Script[] {
  return [
    ...collections.map((one) => ({ group: "verbs", name: `lists-${one.name}`, steps: lists(one) })),
    ...collections.map((one) => ({ group: "verbs", name: `forms-${one.name}`, steps: forms(one) })),
    ...collections.map((one) => ({ group: "verbs", name: `watches-${one.name}`, steps: watches(one) })),
    ...collections.map((one) => ({ group: "verbs", name: `options-${one.name}`, steps: options(one) })),
    ...collections.map((one) => ({ group: "verbs", name: `patches-${one.name}`, steps: patches(one) })),
    { group: "verbs", name: "methods", steps: methods() },
    { group: "verbs", name: "paths", steps: paths() },
    { group: "verbs", name: "field-selectors", steps: fieldSelectors() },
    { group: "verbs", name: "accepts", steps: accepts() },
  ]
}
