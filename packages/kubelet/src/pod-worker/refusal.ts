/** Why a node takes no pod, or not any more: what its status then says. */
export interface Refusal {
  readonly reason: string
  readonly message: string
}
