/** The program that a kubeconfig names: how it is reached, and how it is asked again. Mirrors: apiserver pkg/util/webhook/webhook.go */
import { Backoff, type Env } from "@knarr/base"
import {
  createTransport,
  readKubeconfig,
  resolveContext,
  type Transport,
  usingConfigFile,
} from "@knarr/client"

export const webhookAttempts = 5
export const webhookHeaders = Object.freeze({
  "content-type": "application/json",
  accept: "application/json",
})

/** `path` is to be posted to. Rejects when the file cannot be read. */
export async function openWebhook(
  configFile: string,
  env: Pick<Env, "clock" | "random">,
): Promise<{ readonly transport: Transport; readonly path: string }> {
  const { transport: where } = resolveContext(await usingConfigFile(configFile, readKubeconfig(configFile)))
  const path = new URL(where.server).pathname === "/" ? "/" : ""
  return { transport: createTransport({ ...where, env }), path }
}

/** Each wait is half as long again as the one before. */
export function webhookBackoff(firstMs: number, { random }: Pick<Env, "random">): Backoff {
  return new Backoff({ firstMs, maxMs: Infinity, factor: 1.5, jitter: { share: 0.2, random } })
}
