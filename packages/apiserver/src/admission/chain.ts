/**
 * Runs the plugins one after the other: first all that may change the object, once more when one of them asks for
 * that, later all that only judge it. Mirrors: apiserver pkg/admission/chain.go, reinvocation.go
 */
import { inTurn, whenReady } from "@knarr/base"
import { ChainMetrics } from "./metrics.ts"
import type {
  Admission,
  AdmissionAttributes,
  AdmissionDeps,
  AdmissionHooks,
  AdmissionPlugin,
  AdmissionRequest,
} from "../contract.ts"

export interface AdmissionOptions {
  readonly deps: AdmissionDeps
  /** In the order in which they run. */
  readonly plugins: readonly AdmissionPlugin[]
  /** Names of plugins to switch on or off beside the defaults. Throws for a name that there is not. */
  readonly enable?: readonly string[] | undefined
  readonly disable?: readonly string[] | undefined
  /** What the operator says to plugins, by name. Throws for a name that there is not. */
  readonly configurations?: ReadonlyMap<string, unknown> | undefined
  /** Checks that no option switches off; they run last. */
  readonly always?: readonly AdmissionHooks[] | undefined
}

export async function createAdmission(options: AdmissionOptions): Promise<Admission> {
  const names = new Set(options.plugins.map((plugin) => plugin.name))
  const { configurations } = options
  for (const name of [
    ...(options.enable ?? []),
    ...(options.disable ?? []),
    ...(configurations?.keys() ?? []),
  ])
    if (!names.has(name))
      throw new Error(`Cannot configure the admission plugin "${name}": there is none of that name`)
  const metrics = new ChainMetrics(options.deps.env)
  const hooks: { readonly name?: string; readonly hook: AdmissionHooks }[] = []
  for (const plugin of options.plugins) {
    const { name, enabledByDefault } = plugin
    if (options.disable?.includes(name) || !(enabledByDefault || options.enable?.includes(name))) continue
    const said = configurations?.get(name)
    const prepare = said === undefined ? undefined : plugin.prepare?.(said, options.deps.env)
    hooks.push({ name, hook: plugin.create(options.deps, prepare ? await prepare : said) })
  }
  hooks.push(...(options.always ?? []).map((hook) => ({ hook })))
  const mutating = hooks.filter(({ hook }) => hook.admit)
  const validating = hooks.filter(({ hook }) => hook.validate)
  const admitAll = (attributes: AdmissionRequest): void | Promise<void> =>
    inTurn(mutating, ({ name, hook }) => {
      if (!hook.handles(attributes)) return
      const admit = (): void | Promise<void> =>
        whenReady(hook.admit!(attributes), (replaced) => {
          if (replaced) attributes.object = replaced
        })
      return name === undefined ? admit() : metrics.timed("admit", attributes.operation, name, admit)
    })
  const validateAll = (attributes: AdmissionAttributes): void | Promise<void> =>
    inTurn(validating, ({ name, hook }) => {
      if (!hook.handles(attributes)) return
      const validate = (): void | Promise<void> => hook.validate!(attributes)
      return name === undefined ? validate() : metrics.timed("validate", attributes.operation, name, validate)
    })
  const timed = (
    type: "admit" | "validate",
    { operation }: AdmissionAttributes,
    run: () => void | Promise<void>,
  ): void | Promise<void> => metrics.timed(type, operation, undefined, run)
  return {
    admit: (attributes) =>
      timed("admit", attributes, () =>
        whenReady(admitAll(attributes), () => {
          if (attributes.reinvocation.begin()) return admitAll(attributes)
        }),
      ),
    validate: (attributes) => timed("validate", attributes, () => validateAll(attributes)),
  }
}
