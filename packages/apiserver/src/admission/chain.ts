/** Runs the plugins one after the other: first all that may change the object, later all that only judge it. */
import type {
  Admission,
  AdmissionAttributes,
  AdmissionDeps,
  AdmissionHooks,
  AdmissionPlugin,
} from "../contract.ts"

export interface AdmissionOptions {
  readonly deps: AdmissionDeps
  /** In the order in which they run. */
  readonly plugins: readonly AdmissionPlugin[]
  /** Names of plugins to switch on or off beside the defaults. Throws for a name that there is not. */
  readonly enable?: readonly string[] | undefined
  readonly disable?: readonly string[] | undefined
  /** Checks that no option switches off; they run last. */
  readonly always?: readonly AdmissionHooks[] | undefined
}

export function createAdmission(options: AdmissionOptions): Admission {
  const names = new Set(options.plugins.map((plugin) => plugin.name))
  for (const name of [...(options.enable ?? []), ...(options.disable ?? [])])
    if (!names.has(name))
      throw new Error(`Cannot configure the admission plugin "${name}": there is none of that name`)
  const hooks = options.plugins
    .filter((plugin) =>
      options.disable?.includes(plugin.name)
        ? false
        : plugin.enabledByDefault || options.enable?.includes(plugin.name),
    )
    .map((plugin) => plugin.create(options.deps))
  hooks.push(...(options.always ?? []))
  const mutating = hooks.filter((hook) => hook.admit)
  const validating = hooks.filter((hook) => hook.validate)
  return {
    async admit(attributes: AdmissionAttributes) {
      for (const hook of mutating) {
        if (!hook.handles(attributes)) continue
        const wait = hook.admit!(attributes)
        if (wait) await wait
      }
    },
    async validate(attributes: AdmissionAttributes) {
      for (const hook of validating) {
        if (!hook.handles(attributes)) continue
        const wait = hook.validate!(attributes)
        if (wait) await wait
      }
    },
  }
}
