/** `knarr/apimachinery`: kinds, selectors, patches, quantities and what a Status says. */
export * from "@knarr/apimachinery"
