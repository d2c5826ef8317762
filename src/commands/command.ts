import { Client } from "../client/client.ts"
import { setting, textFlag } from "../config.ts"
import { AppError } from "../errors.ts"
import type { Arguments, Usage } from "./usage.ts"

/** One command of the program. */
export interface Command {
  readonly usage: Usage
  /**
   * Does it; resolves with the exit code.
   * @throws AppError `invalid` for wrong usage; any other error is a failure
   */
  readonly run: (given: Arguments) => Promise<number>
}

/**
 * The client of the server that the arguments or the environment name.
 * @throws AppError `invalid`
 */
export function clientOf({ flags }: Arguments): Client {
  const server = setting("server", flags)
  if (!/^https?:\/\/./.test(server) || !URL.canParse(server)) {
    throw new AppError("invalid", `--server must be a URL such as http://127.0.0.1:8080, not "${server}"`)
  }
  return new Client(server)
}

/**
 * The whole number that was typed.
 * @throws AppError `invalid`
 */
export function typedInteger(text: string | undefined, name: string): number {
  if (text !== undefined && /^-?\d{1,15}$/.test(text)) return Number(text)
  throw new AppError(
    "invalid",
    text === undefined ? `${name} is missing` : `${name} must be a whole number, not "${text}"`,
  )
}

/**
 * The number of an item or of a song that was typed.
 * @throws AppError `invalid`
 */
export function typedId(text: string | undefined, name: string): number {
  const id = typedInteger(text, name)
  if (id >= 1) return id
  throw new AppError("invalid", `${name} must be a whole number from 1, not ${id}`)
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

/**
 * Refuses more words than the command takes.
 * @throws AppError `invalid`
 */
export function takes(given: Arguments, most: number): void {
  const extra = given.words[most]
  if (extra !== undefined) throw new AppError("invalid", `"${extra}" is one argument too many`)
}

/** Writes one line to standard output. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`)
