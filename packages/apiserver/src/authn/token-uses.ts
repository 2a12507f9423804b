/** How often which tokens of service accounts are used. Mirrors: pkg/serviceaccount/metrics.go */
import type { Counter, Meter } from "@knarr/base"

export class TokenUses {
  readonly #valid: Counter
  readonly #stale: Counter
  readonly #legacy: Counter
  readonly #generated: Counter
  readonly #manual: Counter
  readonly #invalid: Counter

  constructor(meter: Meter) {
    const counter = (name: string, of: string, stability: "ALPHA" | "BETA"): Counter =>
      meter.counter({ name: `serviceaccount_${name}_total`, help: `Cumulative ${of} used`, stability })
    this.#valid = counter("valid_tokens", "valid projected service account tokens", "BETA")
    this.#stale = counter("stale_tokens", "stale projected service account tokens", "BETA")
    this.#legacy = counter("legacy_tokens", "legacy service account tokens", "BETA")
    this.#generated = counter("legacy_auto_token_uses", "auto-generated legacy tokens", "ALPHA")
    this.#manual = counter("legacy_manual_token_uses", "manually created legacy tokens", "ALPHA")
    this.#invalid = counter("invalid_legacy_auto_token_uses", "invalid auto-generated legacy tokens", "ALPHA")
  }

  /** A token that ends by itself; `isStale`: another should have been asked for by now. */
  bound(isStale: boolean): void {
    const counter = isStale ? this.#stale : this.#valid
    counter.add(1)
  }

  /** A token that a Secret holds. */
  legacy(kind: "generated" | "manual" | "invalid"): void {
    if (kind === "invalid") return this.#invalid.add(1)
    this.#legacy.add(1)
    const counter = kind === "generated" ? this.#generated : this.#manual
    counter.add(1)
  }
}
