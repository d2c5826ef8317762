import { expect, test } from "bun:test"

import { COMMANDS } from "../../src/commands/commands.ts"
import { hanging, helpOf } from "../../src/commands/usage.ts"

test.each(Object.keys(COMMANDS))(
  "the help of %s fits a terminal of 80 columns, and says the same as elsewhere",
  async (name) => {
    const usage = (await COMMANDS[name]?.load())?.usage
    if (!usage) throw new Error(`there is no command ${name}`)
    const fitted = helpOf(usage, 80)
    const wide = helpOf(usage, Number.POSITIVE_INFINITY)
    expect(fitted.replace(/\s+/g, " ")).toBe(wide.replace(/\s+/g, " "))
    const long = fitted.split("\n").filter((line) => line.length > 80)
    // A word that is longer than a line cannot be broken, and the line to type is not.
    expect(long.filter((line) => line !== `track-studio ${usage.line}` && line.trim().includes(" "))).toEqual(
      [],
    )
  },
)

test("every command that asks a server takes the address and the token's file", async () => {
  const commands = await Promise.all(Object.values(COMMANDS).map(({ load }) => load()))
  const asking = commands.filter(({ usage }) => usage.settings.includes("server"))
  expect(asking.length).toBeGreaterThan(10)
  const without = asking.filter(({ usage }) => !usage.settings.includes("token-file"))
  expect(without.map(({ usage }) => usage.line)).toEqual([])
})

test("a text behind a name breaks between words, below itself, at the width that it has on the screen", () => {
  expect(hanging("name ", "one two three", 13)).toBe("name one two\n     three")
  expect(hanging("", "夜曲夜曲 one two", 13, 2)).toBe("夜曲夜曲\n  one two")
  expect(hanging("name ", "as  it  is", Number.POSITIVE_INFINITY)).toBe("name as  it  is")
  expect(hanging("name ", "as  it  is", 15)).toBe("name as  it  is")
})
