import assert from "node:assert/strict"
import { it } from "node:test"
import { restoreLineBreaks } from "./line-breaks.ts"

const cases: readonly {
  readonly name: string
  readonly text: string
  readonly older?: string
  readonly want: string
}[] = [
  { name: "one line", text: "One. Two.", want: "One. Two." },
  {
    name: "same words",
    text: "One.  Two: - a - b",
    older: "One.\n\nTwo:\n- a\n- b",
    want: "One.\n\nTwo:\n- a\n- b",
  },
  {
    name: "newer words",
    text: "It is very new. The rules are these: - be kind - be brief and good",
    older: "It is new. The rules are these:\n- be kind\n- be brief",
    want: "It is very new. The rules are these:\n- be kind\n- be brief and good",
  },
  { name: "an empty line", text: "First.  Second.", want: "First.\n\nSecond." },
  {
    name: "two typed spaces",
    text: "Sentence one.  Sentence two, newer.",
    older: "Sentence one.  Sentence two,\n\nolder.",
    want: "Sentence one.  Sentence two, newer.",
  },
  {
    name: "indented lines and the items after them",
    text: "Values are: - In: is   in the set. - NotIn: is   not in it.",
    want: "Values are: - In: is\n  in the set.\n- NotIn: is\n  not in it.",
  },
  {
    name: "signs of a pattern",
    text: "a (b) c* d $& e.",
    older: "a (b)\nc* d $& e.",
    want: "a (b)\nc* d $& e.",
  },
]
for (const { name, text, older, want } of cases)
  it(`restores line breaks: ${name}`, () => assert.equal(restoreLineBreaks(text, older), want))
