/** Sizes of what a variable's type bounds, for the estimate of costs. Mirrors: apiextensions-apiserver pkg/apiserver/schema/cel/compilation.go (sizeEstimator) */
import type { SizeOf } from "../cost/shapes.ts"
import { range } from "../cost/sizes.ts"
import type { DeclType } from "./decl-type.ts"

/** Sizes by paths whose first part, the variable, is of the type. */
export function sizesOf(type: DeclType): SizeOf {
  return (path) => {
    if (path.length === 0) return undefined
    let at: DeclType | undefined = type
    for (const part of path.slice(1)) {
      if (part === "@items" || part === "@values") at = at.item
      else if (part === "@keys") at = at.key
      else at = at.fields?.get(part)
      if (at === undefined) return undefined
    }
    return range(0, at.maxElements)
  }
}
