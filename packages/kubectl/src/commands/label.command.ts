/** `kubectl label`. Mirrors: kubectl pkg/cmd/label/label.go */
import { goQuote, isValidLabelValue } from "@knarr/apimachinery"
import { defineKubectlCommand } from "../command.ts"
import { changeMarks, markFlags } from "./marks.ts"

export const label = defineKubectlCommand({
  name: "label",
  summary: "Update the labels on a resource",
  usage: "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]",
  flags: markFlags("kubectl-label"),
  run: (ctx) =>
    changeMarks(ctx, {
      field: "labels",
      noun: "label",
      valid: /^[^-]/,
      check(_key, value) {
        const problems = isValidLabelValue(value)
        if (problems.length > 0)
          throw new Error(`invalid label value: ${goQuote(value)}: ${problems.join("; ")}`)
      },
      done: { changed: "labeled", removed: "unlabeled", unchanged: "not labeled" },
    }),
})
