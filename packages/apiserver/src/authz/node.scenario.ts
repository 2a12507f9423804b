/**
 * What the tests of the Node authorizer and of NodeRestriction ask: objects that an administrator makes, questions
 * about what the node "n1" may, and requests that it sends. The answers of Kubernetes are in testdata/node.json;
 * tools/facts/node.ts renews them.
 */
export { objects } from "./node-objects.scenario.ts"
export { questions } from "./node-questions.scenario.ts"
export { requests, type Request } from "./node-requests.scenario.ts"

/** What was answered. */
export interface Answers {
  readonly kubernetes: string
  /** Reasons of refusals by number. */
  readonly reasons: readonly string[]
  /** One number for each question: -1 for allowed, or the number of its reason. */
  readonly reviews: readonly number[]
  /** Status code and message (of a refusal) of each request. */
  readonly requests: readonly (readonly [what: string, code: number, message: string])[]
}
