import { expect, test } from "bun:test"

import { COMMANDS } from "../../src/commands/commands.ts"
import { hanging, helpList, helpOf } from "../../src/commands/usage.ts"

test.each(Object.keys(COMMANDS).flatMap((name) => [80, 40].map((columns) => [name, columns] as const)))(
  "the help of %s fits a terminal of %d columns, and says the same as elsewhere",
  async (name, columns) => {
    const usage = (await COMMANDS[name]?.load())?.usage
    if (!usage) throw new Error(`there is no command ${name}`)
    const fitted = helpOf(usage, columns)
    const wide = helpOf(usage, Number.POSITIVE_INFINITY)
    expect(fitted.replace(/\s+/g, " ")).toBe(wide.replace(/\s+/g, " "))
    const long = fitted.split("\n").filter((line) => line.length > columns)
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

test("a help says how a command is typed, what it does, and each flag with its letter and its value", () => {
  const flags = {
    worker: { type: "string", short: "w", placeholder: "NAME", help: "the name that viewers see" },
    json: { type: "boolean", help: "print JSON" },
  } as const
  const usage = { line: "test ID", about: "Tests one item.", settings: [], flags }
  const lines = helpOf(usage, Number.POSITIVE_INFINITY).split("\n")
  expect(lines.slice(0, 5)).toEqual([
    "track-studio test ID",
    "",
    "Tests one item.",
    "",
    "  -w, --worker NAME  the name that viewers see",
  ])
  expect(lines[5]).toBe("  --json             print JSON")
  // A text has at least 24 columns, or stands below its name.
  const texts = [["a", "one two three four five six"]] as const
  expect(helpList(texts, 29)).toBe("  a  one two three four five\n     six")
  expect(helpList(texts, 28)).toBe("  a\n      one two three four\n      five six")
})
