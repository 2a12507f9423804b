/** `knarr/controller-kit`: the contract of a controller, and what runs it. */
export * from "@knarr/controller-kit"
