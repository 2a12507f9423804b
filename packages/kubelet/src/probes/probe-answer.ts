/** What came of a probe. */
export interface ProbeAnswer {
  /** A warning is a success that deserves an event. */
  readonly result: "success" | "warning" | "failure"
  readonly output: string
  /** Nobody was listening: the container has not noticed the probe. */
  readonly refused?: boolean
}
