/**
 * Which webhooks or policies of a plugin look at an object again after others changed it.
 * Mirrors: apiserver pkg/admission/plugin/{webhook/mutating,policy/mutating}/reinvocationcontext.go
 */
import { deepClone, deepEqual, type KubeObject } from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionHooks, Reinvocation } from "../contract.ts"

export class Reinvocations {
  readonly #reinvocation: Reinvocation
  /** Those that were asked and want to look again. */
  readonly #willing = new Set<string>()
  readonly #due = new Set<string>()
  #last: KubeObject | undefined

  private constructor(reinvocation: Reinvocation) {
    this.#reinvocation = reinvocation
  }

  /** The plugin's own for this request; in the second round those of the first. */
  static begin({ reinvocation, object }: AdmissionAttributes, plugin: AdmissionHooks): Reinvocations {
    const known = reinvocation.memory.get(plugin) as Reinvocations | undefined
    const own = known ?? new Reinvocations(reinvocation)
    reinvocation.memory.set(plugin, own)
    if (reinvocation.again && !deepEqual(own.#last, object)) own.#requireWilling()
    return own
  }

  /** In the first round everybody is; who was not asked then is not asked in the second. */
  isDue(id: string): boolean {
    return !this.#reinvocation.again || this.#due.has(id)
  }

  /** Somebody of this plugin changed the object: those asked before, who want to, and all other plugins look again. */
  changed(): void {
    this.#requireWilling()
    this.#reinvocation.request()
  }

  #requireWilling(): void {
    for (const id of this.#willing) this.#due.add(id)
    this.#willing.clear()
  }

  /** `id` was asked and wants to look again. */
  wantsMore(id: string): void {
    this.#willing.add(id)
  }

  /** The plugin leaves the object like this. */
  end(object: KubeObject | undefined): void {
    this.#last = object && deepClone(object)
  }
}
