import { parseArgs } from "node:util"

import { type Given, type Setting, type SettingName, SETTINGS, variableOf } from "../config.ts"
import { AppError } from "../errors.ts"

/** A flag of one command alone. */
export interface Flag {
  readonly type: "string" | "boolean"
  readonly help: string
  readonly placeholder?: string
}

/** How a command is called. */
export interface Usage {
  /** As it is typed, without the program's name: `add SONG_ID`. */
  readonly line: string
  readonly about: string
  readonly settings: readonly SettingName[]
  readonly flags: Readonly<Record<string, Flag>>
}

/** What was typed after the command's name. */
export interface Arguments {
  readonly flags: Given
  readonly words: readonly string[]
}

/**
 * Reads what was typed after a command's name.
 * @throws AppError `invalid` for an unknown flag or one without its value
 */
export function readArguments(usage: Usage, argv: readonly string[]): Arguments {
  const shared = usage.settings.map((name) => {
    const { repeatable = false }: Setting = SETTINGS[name]
    return [name, { type: "string" as const, multiple: repeatable }] as const
  })
  const own = Object.entries(usage.flags).map(([name, { type }]) => [name, { type }] as const)
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: {
        ...Object.fromEntries(shared),
        ...Object.fromEntries(own),
        help: { type: "boolean", short: "h" },
      },
      allowPositionals: true,
    })
    return { flags: values, words: positionals }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AppError("invalid", reason.split(". ")[0] ?? reason)
  }
}

/** The help text of a command. */
export function helpOf(usage: Usage): string {
  const rows = [
    ...Object.entries(usage.flags).map(([name, { help, placeholder }]) => [
      `--${name}${placeholder === undefined ? "" : ` ${placeholder}`}`,
      help,
    ]),
    ...usage.settings.map((name) => {
      const { placeholder, help, fallback } = SETTINGS[name]
      return [`--${name} ${placeholder}`, `${help} (${variableOf(name)}; default ${fallback || "none"})`]
    }),
    ["--help", "this text"],
  ]
  const width = Math.max(...rows.map(([flag = ""]) => flag.length))
  const list = rows.map(([flag = "", help]) => `  ${flag.padEnd(width)}  ${help}`)
  return `track-studio ${usage.line}\n\n${usage.about}\n\n${list.join("\n")}\n`
}
