/** Which scopes are open: tests fail on those that they leave behind. */

/** Scopes that were made and have not ended. */
export const openScopes = new Set<{ readonly name: string }>()
