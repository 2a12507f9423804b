/**
 * Loops. The accumulator is made when it is first read, and grows in place when it begins empty.
 * Mirrors: cel-go interpreter/interpretable.go (evalFold, folder)
 */
import { goTypeName } from "./format.ts"
import type { Run } from "./attributes.ts"
import { ArrayList, CelError, CelList, CelMap, EntriesMap, GrowingList, type Value } from "./values.ts"

export interface Slots {
  readonly accumulator: number
  readonly first: number
  readonly second: number | undefined
}

/** A map that a loop inserts into. */
export class GrowingMap extends EntriesMap {}

function growing(value: Value): Value {
  if (value instanceof CelList && value.size === 0) return new GrowingList()
  return value instanceof CelMap && value.size === 0 ? new GrowingMap() : value
}

/** What nobody changes any more. */
function finished(value: Value): Value {
  if (value instanceof GrowingList) return new ArrayList(value.items)
  return value instanceof GrowingMap ? new EntriesMap(value.entries) : value
}

export function planFold(
  slots: Slots,
  initial: Run,
  range: Run,
): { readAccumulator: Run; fold: (condition: Run, step: Run, result: Run) => Run } {
  const { accumulator, first, second } = slots
  const readAccumulator: Run = (frame) => {
    const value = frame.locals[accumulator]
    return value === undefined ? (frame.locals[accumulator] = growing(initial(frame))) : value
  }
  const fold =
    (condition: Run, step: Run, result: Run): Run =>
    (frame) => {
      const over = range(frame)
      if (over instanceof CelError) return over
      const { locals } = frame
      locals[accumulator] = undefined
      const map = over instanceof CelMap
      if (!map && !(over instanceof CelList)) {
        const name = goTypeName(over)
        return new CelError(
          second === undefined
            ? `got '${name}', expected iterable type`
            : `unsupported comprehension range type: ${name}`,
        )
      }
      const keys = map ? over.keys() : undefined
      const size = keys === undefined ? (over as CelList).size : keys.length
      for (let i = 0; i < size; i++) {
        if (keys === undefined) {
          const item = (over as CelList).get(i)
          locals[first] = second === undefined ? item : i
          if (second !== undefined) locals[second] = item
        } else {
          locals[first] = keys[i]!
          if (second !== undefined) locals[second] = (over as CelMap).find(keys[i]!)!
        }
        frame.round()
        if (condition(frame) === false) break
        locals[accumulator] = step(frame)
      }
      return finished(result(frame))
    }
  return { readAccumulator, fold }
}
