/** A scenario from its file, with the manifests that it names. */
import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { loadYaml } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { Fields, ScenarioError } from "./fields.ts"
import { readScenario, type Manifest, type ManifestObject, type Scenario } from "./scenario.ts"

/** Reads and checks the file and all manifests. Rejects with an error that says which file, and where in it. */
export async function loadScenario(file: string): Promise<Scenario> {
  const [document, more] = await documents(file)
  if (document === undefined) throw new ScenarioError(file, "it is empty")
  if (more !== undefined) throw new ScenarioError(file, "it must be one document")
  let scenario
  try {
    scenario = readScenario(document)
  } catch (thrown) {
    throw new ScenarioError(file, messageOf(thrown))
  }
  const loaded = (manifests: readonly Manifest[]): Promise<ManifestObject[]> =>
    Promise.all(manifests.map((one) => objectsOf(one, dirname(file)))).then((all) => all.flat())
  return {
    ...scenario,
    manifests: await loaded(scenario.manifests),
    events: await Promise.all(
      scenario.events.map(async (event) =>
        event.action.do === "apply"
          ? { ...event, action: { do: "apply" as const, manifests: await loaded(event.action.manifests) } }
          : event,
      ),
    ),
  }
}

async function objectsOf(manifest: Manifest, dir: string): Promise<ManifestObject[]> {
  if (typeof manifest !== "string") return [manifest]
  const file = resolve(dir, manifest)
  return (await documents(file)).flatMap((document, i) => {
    const field = Fields.of(document, `${manifest}[${i}]`)
    if (field.map().required("kind", (one) => one.text()) === "List")
      return field.required("items", (items) => items.each(checked))
    return [checked(field)]
  })
}

function checked(field: Fields): ManifestObject {
  field.required("apiVersion", (one) => one.text())
  field.required("kind", (one) => one.text())
  field.required("metadata", (one) => one.map())
  return field.value as ManifestObject
}

async function documents(file: string): Promise<unknown[]> {
  let text
  try {
    text = await readFile(file, "utf8")
  } catch (thrown) {
    throw new ScenarioError(file, `cannot be read: ${messageOf(thrown)}`)
  }
  try {
    return (await loadYaml()).parseAll(text)
  } catch (thrown) {
    throw new ScenarioError(file, messageOf(thrown))
  }
}
