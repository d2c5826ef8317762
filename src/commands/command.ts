import { Client } from "../client/client.ts"
import { AppError } from "../errors.ts"
import { nonBlockingOutput } from "../non-blocking-output.ts"
import { endSoon } from "../runner/signals.ts"
import { wantsColour } from "../settings/colour-and-motion.ts"
import { setting, textFlag, token } from "../settings/read-settings.ts"
import { msIn } from "../settings/values-from-text.ts"
import { coloured, colourless, type Style } from "../terminal/terminal.ts"
import { LOCAL, UTC, type Zone } from "../terminal/times-of-day.ts"
import { type Arguments, type CommandFlag, refuseMoreWords, type Usage } from "./usage.ts"

/** One command of the program. */
export interface Command {
  /** How it is called. */
  readonly usage: Usage
  /**
   * Does it; resolves with the exit code.
   * @throws AppError `invalid` for wrong usage; any other error is a failure
   */
  readonly run: (given: Arguments) => Promise<number>
}

/** A command in the list of all commands; it is loaded when it is run, so that it does not pay for the others. */
export interface CommandEntry {
  /** What the command does, in a few words. */
  readonly about: string
  /** Loads it. */
  readonly load: () => Promise<Command>
}

/** All commands, by name. */
export type Commands = Readonly<Record<string, CommandEntry>>

/**
 * Returns the token to send now. A token that replaces another in its file is used from the next request on.
 * @throws AppError `invalid` if the named file holds none
 */
function latestToken(flags: Arguments["flags"]): () => string | undefined {
  let latest = token(flags)
  return () => {
    try {
      latest = token(flags)
    } catch {
      // The file is being written. The token that it held may still be in force.
    }
    return latest
  }
}

/**
 * The client of the server that the arguments or the environment name.
 * @throws AppError `invalid`
 */
export const clientOf = ({ flags }: Arguments): Client =>
  new Client(setting("server", flags), { token: latestToken(flags) })

/** The address of the server's page, or of one item's page. @throws AppError `invalid` */
export const pageUrl = ({ flags }: Arguments, id?: number): string =>
  `${setting("server", flags).replace(/\/+$/, "")}/${id === undefined ? "" : `items/${id}`}`

/**
 * The whole number that was typed.
 * @throws AppError `invalid`
 */
function typedInteger(text: string | undefined, name: string): number {
  if (text !== undefined && /^-?\d{1,15}$/.test(text)) return Number(text)
  throw new AppError(
    "invalid",
    text === undefined ? `missing ${name}` : `${name} must be a whole number, not "${text}"`,
  )
}

/**
 * The number of an item or of a song that was typed.
 * @throws AppError `invalid`
 */
export function typedId(text: string | undefined, name: string): number {
  const id = typedInteger(text, name)
  if (id >= 1) return id
  throw new AppError("invalid", `${name} must be a positive whole number, not ${id}`)
}

/** The numbers that were typed, at least one. @throws AppError `invalid` */
export function typedIds({ words }: Arguments, name: string): number[] {
  if (words.length === 0) throw new AppError("invalid", `missing ${name}`)
  return [...new Set(words.map((word) => typedId(word, name)))]
}

/** The file that was named, the one argument of a command. @throws AppError `invalid` */
export function typedFile(given: Arguments): string {
  refuseMoreWords(given, 1)
  const [file] = given.words
  if (!file) throw new AppError("invalid", "missing FILE")
  if (file === "-")
    throw new AppError("invalid", "FILE must name a file; a database cannot pass through a pipe")
  return file
}

/** The name that was typed for a flag; undefined if the flag is absent. @throws AppError `invalid` if the name is empty */
export function nameFlag({ flags }: Arguments, name: string): string | undefined {
  const value = textFlag(flags, name)
  if (value === "") throw new AppError("invalid", `--${name} is empty`)
  return value
}

/** As `typedId`, of a flag that may be absent. */
export function idFlag({ flags }: Arguments, name: string): number | undefined {
  const text = textFlag(flags, name)
  return text === undefined ? undefined : typedId(text, `--${name}`)
}

/** As `typedInteger`, of a flag that may be absent. */
export function integerFlag({ flags }: Arguments, name: string): number | undefined {
  const text = textFlag(flags, name)
  return text === undefined ? undefined : typedInteger(text, `--${name}`)
}

/** A length of time as it is typed, `90s`, `10m` or `2h`, in seconds; undefined if it was not given. */
export function secondsFlag({ flags }: Arguments, name: string): number | undefined {
  const text = textFlag(flags, name)
  if (text === undefined) return undefined
  const ms = msIn(/\d$/.test(text) ? `${text}s` : text, "smh")
  if (ms !== undefined) return ms / 1000
  throw new AppError("invalid", `--${name} must be a time such as 90s, 10m or 2h, not "${text}"`)
}

/** A whole-number flag within bounds, or its default. @throws AppError `invalid` */
export function wholeFlag(
  given: Arguments,
  name: string,
  { least, most, fallback }: { readonly least: number; readonly most: number; readonly fallback: number },
): number {
  const value = integerFlag(given, name) ?? fallback
  if (value >= least && value <= most) return value
  throw new AppError("invalid", `--${name} must be a whole number from ${least} to ${most}, not ${value}`)
}

/** The words of a flag that are separated by commas; undefined if it was not given. */
export const namesFlag = ({ flags }: Arguments, name: string): string[] | undefined =>
  textFlag(flags, name)
    ?.split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "")

/** The tags of a flag, each once; undefined if it was not given. */
export function tagsFlag(given: Arguments): string[] | undefined {
  const tags = namesFlag(given, "tags")
  return tags && [...new Set(tags)]
}

/** The flag of commands that show times. */
export const UTC_FLAG = {
  utc: { type: "boolean", help: "show times in UTC instead of this machine's time zone" },
} as const satisfies Readonly<Record<string, CommandFlag>>

/** The zone in which a command shows times. */
export const zoneFlag = ({ flags }: Arguments): Zone => (flags["utc"] ? UTC : LOCAL)

/** Aborts at the first SIGINT or SIGTERM, and the program ends a second later at most; a second one ends it at once. */
export function interrupted(): AbortSignal {
  const stop = new AbortController()
  const end = (): void => {
    stop.abort()
    endSoon()
  }
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, end)
  return stop.signal
}

/** Writes one line to standard output. */
export const say = (line: string): void => void nonBlockingOutput(1).write(`${line}\n`)

/**
 * Writes text to standard output. Resolves once it was taken, so that no more is read than a slow reader takes, or once
 * `signal` aborts: the end must not wait for a reader.
 */
export function print(text: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const over = (): void => {
    signal.removeEventListener("abort", over)
    resolve()
  }
  signal.addEventListener("abort", over)
  nonBlockingOutput(1).write(text, over)
  if (signal.aborted) over()
  return promise
}

/** A line for people, on standard error: standard output has only what a script can take. */
export const toPeople = (text: string): void => void nonBlockingOutput(2).write(`${text}\n`)

/** How text is coloured on an output; by default on standard output. */
export const styleOn = (output: Parameters<typeof wantsColour>[0] = process.stdout): Style =>
  wantsColour(output) ? coloured : colourless
