import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { controllerNames, isControllerEnabled, readControllerList } from "./controller-names.ts"
import { createControllers } from "./controllers.ts"

const every = {
  rootCA: "CA",
  signingCA: { cert: "", key: "" },
  signToken: () => "",
  bootstrapTokens: true,
  clusterCIDR: "10.244.0.0/16",
}

describe("Names of controllers", () => {
  it("are upstream's, and so are the former ones", () => {
    for (const { name, aliases = [] } of createControllers(every))
      assert.deepEqual(aliases, controllerNames.get(name), name)
  })

  it("in a list: what is named first counts, * is what is on by default", () => {
    for (const [list, name, isOnByDefault, enabled] of [
      [["*"], "job", true, true],
      [["*"], "tokencleaner", false, false],
      [["*", "tokencleaner"], "tokencleaner", false, true],
      [["*", "-job"], "job", true, false],
      [["-job-controller", "*"], "job", true, false],
      [["*", "job", "-job"], "job", true, true],
      [["deployment"], "job", true, false],
      [["deployment"], "deployment", true, true],
      [[], "deployment", true, false],
    ] as const) {
      const [full = ""] = readControllerList([name])
      assert.equal(
        isControllerEnabled(full, readControllerList(list), isOnByDefault),
        enabled,
        `${name} of ${list.join()}`,
      )
    }
    for (const name of ["foo", "-foo", ""])
      assert.throws(() => readControllerList([name]), {
        message: `${JSON.stringify(name.replace("-", ""))} is not in the list of known controllers`,
      })
  })

  it("choose which controllers there are, and numbers of syncs how many work", () => {
    const names = (controllers: readonly string[]): string[] =>
      createControllers({ ...every, bootstrapTokens: false, controllers }).map(({ name }) => name)
    assert.deepEqual(names(["job-controller", "token-cleaner-controller"]), [
      "token-cleaner-controller",
      "job-controller",
    ])
    const all = names(["*"])
    assert.ok(!all.includes("token-cleaner-controller"))
    assert.deepEqual(
      all.filter((name) => !names(["*", "-job-controller"]).includes(name)),
      ["job-controller"],
    )
    const chosen = createControllers({ ...every, workers: new Map([["job-controller", 17]]) })
    assert.equal(chosen.find(({ name }) => name === "job-controller")?.workers, 17)
    assert.throws(() => createControllers({ ...every, controllers: ["selinux-warning-controller"] }), {
      message: 'Cannot run the controller "selinux-warning-controller": there is none here',
    })
  })
})
