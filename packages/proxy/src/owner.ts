/** The object that something belongs to; it is programmed or left out as a whole. */
export interface Owner {
  readonly kind: "Service" | "Pod"
  readonly namespace: string
  readonly name: string
  readonly uid: string
}
