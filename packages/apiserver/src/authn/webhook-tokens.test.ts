import assert from "node:assert/strict"
import { test } from "node:test"
import { VirtualClock } from "@knarr/base"
import { startReviewer } from "../outbound/testing.ts"
import { testEnv } from "../testing.ts"
import { WebhookTokens } from "./webhook-tokens.ts"

test("a program outside knows tokens, and its answers are kept for a while", async (t) => {
  const reviewer = await startReviewer(t)
  const clock = new VirtualClock()
  using tokens = await WebhookTokens.open({ configFile: reviewer.configFile }, { ...testEnv, clock }, [
    "here",
  ])
  reviewer.answer = ({ spec: { token } }) =>
    token === "good"
      ? { authenticated: true, user: { username: "eve", uid: "7", groups: ["a"], extra: { k: ["v"] } } }
      : token === "odd"
        ? { authenticated: false, error: "it is odd" }
        : { authenticated: false }
  const ask = async (token: string, audiences: string[] = ["here"]): Promise<unknown> =>
    tokens.authenticate(token, audiences, {})
  const user = { name: "eve", groups: ["a"], uid: "7", extra: { k: ["v"] } }
  assert.deepEqual(await Promise.all([ask("good"), ask("good")]), [
    { user, audiences: ["here"] },
    { user, audiences: ["here"] },
  ])
  const { path, apiVersion, kind, spec } = reviewer.asked[0]!
  assert.deepEqual(
    [path, apiVersion, kind, spec],
    ["/review", "authentication.k8s.io/v1beta1", "TokenReview", { token: "good", audiences: ["here"] }],
  )
  assert.equal(await ask("bad"), undefined)
  assert.equal(await ask("bad"), undefined)
  assert.equal(reviewer.asked.length, 2, "both answers are kept")
  assert.equal(await ask("good", ["others"]), undefined, "its audiences are this server's")
  assert.deepEqual(await ask("odd"), { error: "it is odd" })
  assert.deepEqual(await ask("odd"), { error: "it is odd" })
  assert.equal(reviewer.asked.length, 5, "what was wrong is asked again")
  await clock.advance(120_000)
  await ask("good")
  assert.equal(reviewer.asked.length, 6)
  reviewer.answer = () => 403
  await assert.rejects(ask("other"), /no|unknown/)
})
