/** Custom resources: definitions, and objects of what they define. */
import type { Script } from "../script.ts"
import { lifecycle, names, versions } from "./custom/definitions.ts"
import { numbers } from "./custom/numbers.ts"
import { objects } from "./custom/objects.ts"
import { openapi } from "./custom/openapi.ts"
import { rulesWrong } from "./custom/rules-wrong.ts"
import { rules } from "./custom/rules.ts"
import { ratcheting, schemas } from "./custom/schemas.ts"

export function customScripts(): Script[] {
  return (
    [
      ["schemas", schemas],
      ["ratcheting", ratcheting],
      ["lifecycle", lifecycle],
      ["names", names],
      ["versions", versions],
      ["objects", objects],
      ["numbers", numbers],
      ["openapi", openapi],
      ["rules", rules],
      ["rules-wrong", rulesWrong],
    ] as const
  ).map(([name, steps]) => ({ group: "custom", name, steps: steps(`custom-${name}`) }))
}
