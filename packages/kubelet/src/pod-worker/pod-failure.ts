/** Why the node itself ended the pod. */
export interface PodFailure {
  readonly reason: string
  readonly message: string
  /** Adds the condition `DisruptionTarget`. */
  readonly disruption?: boolean
}
