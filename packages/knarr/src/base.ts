/** `knarr/base`: scopes, clocks, chance and logs, for those who write components. */
export * from "@knarr/base"
