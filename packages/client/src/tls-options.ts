/** What identifies a server to us and us to a server. Everything is PEM text. */
export interface TlsOptions {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** The name to verify instead of the host in the URL. */
  readonly servername?: string | undefined
  /** Default true. */
  readonly rejectUnauthorized?: boolean | undefined
}
