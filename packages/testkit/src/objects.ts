/** Objects as the API answers them, so far as a test cares: what it does not say is the least that a kind needs. */
import type { Node, Pod } from "@knarr/api"

type Change<T> = { [K in keyof T]?: unknown }

/** The Pod `default/p` with one container, `c`. */
export function podOf(
  change: {
    metadata?: Change<Pod["metadata"]>
    spec?: Change<Pod["spec"]>
    status?: Change<Pod["status"]>
  } = {},
): Pod {
  const name = change.metadata?.name ?? "p"
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name, uid: name, ...change.metadata },
    spec: { restartPolicy: "Always", containers: [{ name: "c", image: "c" }], ...change.spec },
    status: { ...change.status },
  } as Pod
}

export function nodeOf(
  name: string,
  change: {
    metadata?: Change<Node["metadata"]>
    spec?: Change<Node["spec"]>
    status?: Change<Node["status"]>
  } = {},
): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: name, ...change.metadata },
    spec: { ...change.spec },
    status: { ...change.status },
  } as Node
}
