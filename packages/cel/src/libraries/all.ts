/** Every function of Kubernetes' environment, with what runs it. Mirrors: apiserver pkg/cel/library/libraries.go */
import type { Functions } from "../run/functions.ts"
import { authorizerOverloads } from "./authorizer.ts"
import { kubernetesOverloads } from "./kubernetes.ts"
import { listOverloads } from "./lists.ts"
import { netOverloads } from "./net.ts"
import { semverOverloads } from "./semver.ts"
import { standardNames, standardOverloads } from "./standard.ts"
import { stringOverloads } from "./strings.ts"

export const kubernetesFunctions: Functions = {
  names: new Map(standardNames),
  overloads: new Map([
    ...standardOverloads,
    ...stringOverloads,
    ...listOverloads,
    ...netOverloads,
    ...semverOverloads,
    ...kubernetesOverloads,
    ...authorizerOverloads,
  ]),
}
