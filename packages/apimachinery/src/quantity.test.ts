import assert from "node:assert/strict"
import { test } from "node:test"
import { canonicalQuantity, parseQuantity, Quantity, zeroQuantity } from "./quantity.ts"

test("canonical form", () => {
  const cases: Record<string, string> = {
    "0": "0",
    "0n": "0",
    "0.5": "500m",
    "1.5": "1500m",
    "1000m": "1",
    "100m": "100m",
    "1024Mi": "1Gi",
    "100Mi": "100Mi",
    "1.5Gi": "1536Mi",
    "1.1Gi": "1181116006400m",
    "0.1Ki": "102400m",
    "1e3": "1e3",
    "12e6": "12e6",
    "1E": "1E",
    "-5": "-5",
    "0.1n": "1n",
    "1.0001n": "2n",
    "9223372036854775807": "9223372036854775807",
    "9223372036854775808": "9223372036854775808",
    "10Ei": "9223372036854775807",
    "5000000k": "5G",
    "1e-20": "1e-9",
    "1.500": "1.500",
    "0100Mi": "0100Mi",
    "1000Ki": "1000Ki",
    "1e100": "10e99",
  }
  for (const [text, canonical] of Object.entries(cases))
    assert.equal(canonicalQuantity(text), canonical, text)
})

test("errors", () => {
  for (const bad of ["", "1.1.M", "1+1.0M", "aoeu", " 1", "1 ", "0.1am"]) {
    assert.throws(() => parseQuantity(bad), /must match the regular expression/, bad)
  }
  for (const bad of ["0.1mi", ".5i", "1i", "-3.01i", "-3.01e-", "1ki"]) {
    assert.throws(() => parseQuantity(bad), /unable to parse quantity's suffix/, bad)
  }
})

test("arithmetic keeps the format of the first that is not zero", () => {
  const q = parseQuantity
  assert.equal(q("1Gi").add(q("512Mi")).toString(), "1536Mi")
  assert.equal(zeroQuantity.add(q("1Gi")).toString(), "1Gi")
  assert.equal(q("1").sub(q("100m")).toString(), "900m")
  assert.equal(q("1Gi").sub(q("1Gi")).toString(), "0")
  assert.equal(q("1E").add(q("1n")).toString(), "1000000000000000000000000001n")
  assert.equal(q("100m").mul(3).toString(), "300m")
  assert.ok(q("1.5Gi").compare(q("1536Mi")) === 0)
  assert.ok(q("1E").compare(q("1Ei")) < 0)
  assert.ok(q("-1").compare(q("1n")) < 0)
  assert.ok(q("1e100").compare(q("10Ei")) > 0)
})

test("values round away from zero", () => {
  assert.equal(parseQuantity("1100m").value(), 2)
  assert.equal(parseQuantity("-1100m").value(), -2)
  assert.equal(parseQuantity("1u").milliValue(), 1)
  assert.equal(parseQuantity("250m").asNumber(), 0.25)
  assert.equal(Quantity.ofMilli(1500).toString(), "1500m")
  assert.equal(Quantity.of(2 ** 30, "BinarySI").toString(), "1Gi")
})
