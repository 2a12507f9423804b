/** A chain of authenticators. Mirrors: apiserver pkg/authentication/request/union, token/union */
import { aggregate } from "@knarr/apimachinery"
import { abortable, messageOf } from "@knarr/base"
import type { Cancellable, Refused } from "../contract.ts"

type Answer<T> = T | Refused | undefined

/**
 * Asks one after the other until one knows the answer. Errors are collected, and told when nobody does; undefined
 * when nobody found anything to look at. No promise is made while nobody waits.
 */
export function firstKnown<A, T extends object>(
  authenticators: readonly A[],
  ask: (authenticator: A) => Answer<T> | Promise<Answer<T>>,
  request: Cancellable,
  from = 0,
  errors: readonly string[] = [],
): Answer<T> | Promise<Answer<T>> {
  for (let i = from; i < authenticators.length; i++) {
    const answer = ask(authenticators[i]!)
    if (answer instanceof Promise) {
      const { signal } = request
      return (signal ? abortable(answer, signal) : answer)
        .catch((thrown: unknown) => {
          signal?.throwIfAborted()
          return { error: messageOf(thrown) }
        })
        .then((said) => {
          if (said && !("error" in said)) return said
          return firstKnown(authenticators, ask, request, i + 1, said ? [...errors, said.error] : errors)
        })
    }
    if (!answer) continue
    if (!("error" in answer)) return answer
    errors = [...errors, answer.error]
  }
  return errors.length === 0 ? undefined : { error: aggregate(errors) }
}
