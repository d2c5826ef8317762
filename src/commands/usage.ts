import { parseArgs } from "node:util"

import { AppError } from "../errors.ts"
import { type Given } from "../settings/read-settings.ts"
import { type Setting, type SettingName, SETTINGS } from "../settings/settings.ts"
import { variableOf } from "../settings/values-from-text.ts"
import { didYouMean } from "./did-you-mean.ts"

/** A flag of one command alone. */
export interface CommandFlag {
  /** A flag of type `string` needs a value, one of type `boolean` takes none. */
  readonly type: "string" | "boolean"
  /** One letter that can be typed for the flag, after a single dash; none by default. */
  readonly short?: string
  /** Whether it may be given more than once; default no, and the last one counts. */
  readonly repeatable?: boolean
  /** What the flag does, in one line, with its default. */
  readonly help: string
  /** The word for its value in the help, in capitals; default `VALUE`. */
  readonly placeholder?: string
  /** The values that it takes, which shells offer; default any. */
  readonly choices?: readonly string[]
  /** The names on the server that it takes, which shells offer; default none. */
  readonly known?: "workers" | "kinds"
}

/** How a command is called. */
export interface Usage {
  /** As it is typed, without the program's name: `add SONG_ID`. */
  readonly line: string
  /** What its first argument may be, which shells offer; default anything. */
  readonly choices?: readonly string[]
  /** What the command does, in whole sentences. */
  readonly about: string
  /** The settings it obeys beside its own flags. */
  readonly settings: readonly SettingName[]
  /** The flags of the command, by name. */
  readonly flags: Readonly<Record<string, CommandFlag>>
}

/** What was typed after the command's name. */
export interface Arguments {
  /** By name, without the dashes. */
  readonly flags: Given
  /** The words that belong to no flag, in order, with everything that follows `--`. */
  readonly words: readonly string[]
}

/** With less room than this beside the names, what each is stands below it. */
const LEAST_HELP = 24
const HELP: CommandFlag = { type: "boolean", short: "h", help: "show this help" }

/** All flags of a command, its settings and `--help` among them. */
export const flagsOf = (usage: Usage): Readonly<Record<string, CommandFlag>> => ({
  ...usage.flags,
  ...Object.fromEntries(
    usage.settings.map((name) => {
      const { help, placeholder, choices, fallback, repeatable = false }: Setting = SETTINGS[name]
      if (placeholder === undefined) {
        return [
          name,
          { type: "boolean", help: `${help} (${variableOf(name)}; default no)` } satisfies CommandFlag,
        ]
      }
      const text = `${help} (${variableOf(name)}; default ${fallback || "none"})`
      const rest = { placeholder, repeatable, ...(choices && { choices }) }
      return [name, { type: "string", help: text, ...rest } satisfies CommandFlag]
    }),
  ),
  help: HELP,
})

/** The value of a flag as it was typed. @throws AppError `invalid` when there is none, or one too many */
function valueOf(
  typed: string,
  flag: CommandFlag,
  value: string | undefined,
  isInline: boolean | undefined,
): string | true {
  if (flag.type === "boolean") {
    if (value === undefined) return true
    throw new AppError("invalid", `${typed} takes no value`)
  }
  // A word that looks like a flag is a flag, so the value was forgotten; but a number may be negative.
  if (value === undefined || (!isInline && /^-(?!\d)./.test(value))) {
    throw new AppError("invalid", `${typed} needs a value: ${typed} ${flag.placeholder ?? "VALUE"}`)
  }
  return value
}

/** A flag as it was typed, and its place in the command line. */
interface Typed {
  readonly rawName: string
  readonly index: number
}

/** The error for a flag that the command does not have. */
function unknownFlag(usage: Usage, { rawName }: Typed): AppError {
  const names = Object.keys(flagsOf(usage)).map((known) => `--${known}`)
  return new AppError("invalid", `unknown flag ${rawName}${didYouMean(rawName, names)}`)
}

/**
 * Refuses a flag behind the program that the command is to run, if the -- between them is missing: the flag
 * may belong to the program, even if the command has a flag of that name.
 * @throws AppError `invalid`
 */
function refuseBehind(
  usage: Usage,
  program: { readonly value: string; readonly index: number } | undefined,
  { rawName, index }: Typed,
  isKnown: boolean,
): void {
  if (program === undefined || index < program.index || !usage.line.includes(" -- ")) return
  const [name = ""] = usage.line.split(" ")
  const { value } = program
  const what = isKnown ? `${rawName} comes after ${value}` : `${rawName} is no flag of ${name}`
  const otherwise = isKnown ? `; if it belongs to ${name}, put it before ${value}` : ""
  throw new AppError(
    "invalid",
    `${what}; if it belongs to ${value}, put -- before that: track-studio ${name} ... -- ${value} ${rawName} ...${otherwise}`,
  )
}

/**
 * Reads what was typed after a command's name.
 * @throws AppError `invalid` for an unknown flag, a flag without its value, or a value for a flag that takes
 * none
 */
export function readArguments(usage: Usage, argv: readonly string[]): Arguments {
  const flags = flagsOf(usage)
  const options = Object.entries(flags).map(([name, { type, short }]) => [
    name,
    short === undefined ? { type } : { type, short },
  ])
  const { tokens, positionals } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(options),
    strict: false,
    tokens: true,
  })
  const given: Record<string, string | true | readonly string[]> = {}
  const program = tokens.find((token) => token.kind === "positional")
  for (const token of tokens) {
    if (token.kind !== "option") continue
    const { name, rawName, value, inlineValue } = token
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined
    refuseBehind(usage, program, token, flag !== undefined)
    if (!flag) throw unknownFlag(usage, token)
    const read = valueOf(rawName, flag, value, inlineValue)
    const before = given[name]
    const list = typeof before === "object" ? before : []
    given[name] = flag.repeatable && read !== true ? [...list, read] : read
  }
  return { flags: given, words: positionals }
}

/** The one line that says how a command is typed. */
export const usageLine = ({ line }: Usage): string => {
  const [name = ""] = line.split(" ")
  return `usage: track-studio ${line} (more: track-studio ${name} --help)`
}

/** A text in lines of at most this many columns, broken between words; a word that is longer has its own line. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last === undefined || Bun.stringWidth(last) + 1 + Bun.stringWidth(word) > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}

/**
 * A text behind `head`, in lines of at most `columns` characters, broken between words; all lines but the first are
 * indented, by default as far as the text begins. A text that fits in one line stays as it is.
 */
export function hanging(head: string, text: string, columns: number, indent = Bun.stringWidth(head)): string {
  if (Bun.stringWidth(head + text) <= columns) return head + text
  return (
    head + wrapped(text, columns - Math.max(indent, Bun.stringWidth(head))).join(`\n${" ".repeat(indent)}`)
  )
}

/** Names and what each is, in lines of at most `columns` characters. */
export function helpList(rows: readonly (readonly [name: string, help: string])[], columns: number): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  const isBeside = columns - width - 4 >= LEAST_HELP
  const indent = " ".repeat(isBeside ? width + 4 : 6)
  return rows
    .map(([name, help]) => {
      const lines = wrapped(help, columns - indent.length).join(`\n${indent}`)
      return isBeside ? `  ${name.padEnd(width)}  ${lines}` : `  ${name}\n${indent}${lines}`
    })
    .join("\n")
}

/** The help text of a command, in lines of at most `columns` characters; infinite where lines may be of any length. */
export function helpOf(usage: Usage, columns: number): string {
  const rows = Object.entries(flagsOf(usage)).map(
    ([name, { help, short, placeholder }]) =>
      [
        `${short === undefined ? "" : `-${short}, `}--${name}${placeholder === undefined ? "" : ` ${placeholder}`}`,
        help,
      ] as const,
  )
  const about = Number.isFinite(columns) ? wrapped(usage.about, columns).join("\n") : usage.about
  return `track-studio ${usage.line}\n\n${about}\n\n${helpList(rows, columns)}\n`
}

/**
 * Refuses more words than the command takes.
 * @throws AppError `invalid`
 */
export function refuseMoreWords(given: Arguments, most: number): void {
  const extra = given.words[most]
  if (extra !== undefined) throw new AppError("invalid", `unexpected argument "${extra}"`)
}
