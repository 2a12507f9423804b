/** `knarr/api`: the built-in kinds and their types. */
export * from "@knarr/api"
