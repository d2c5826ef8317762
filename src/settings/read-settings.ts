import { AppError } from "../errors.ts"
import { SERVE_SETTING_NAMES, SERVE_SETTINGS, type Setting, type SettingName, SETTINGS } from "./settings.ts"
import { tokenIn, valueIn } from "./token-file.ts"
import { databaseName, variableOf } from "./values-from-text.ts"

type Camel<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Name

/** What `serve` runs with: the value of each of its settings, `keepaliveMs` for `--keepalive-ms`. */
export type ServeSettings = {
  readonly [Name in keyof typeof SERVE_SETTINGS as Camel<Name>]: ReturnType<
    (typeof SERVE_SETTINGS)[Name]["read"]
  >
}

/** Flags as they were typed, by name: the value, `true` for one without a value, or a list for one that repeats. */
export type Given = Readonly<Record<string, string | boolean | readonly string[] | undefined>>

/** A flag that is text; undefined if it was not given. */
export const textFlag = (given: Given, name: string): string | undefined => {
  const value = given[name]
  return typeof value === "string" ? value : undefined
}

/** A flag that names a database; undefined if it was not given. @throws AppError `invalid` */
export const databaseFlag = (given: Given, name: string): string | undefined => {
  const value = textFlag(given, name)
  return value === undefined ? undefined : databaseName([value], name, true)
}

/** A flag that may be repeated: all its values, in order. */
export const listFlag = (given: Given, name: string): readonly string[] => {
  const value = given[name]
  return typeof value === "string" ? [value] : typeof value === "object" ? value : []
}

/** What was given for a setting; undefined if nothing was. */
function textsOf(name: SettingName, given: Given, env: NodeJS.ProcessEnv): readonly string[] | undefined {
  if (given[name] === true) return ["true"]
  const flags = listFlag(given, name)
  if (flags.length > 0) return flags
  const { repeatable = false }: Setting = SETTINGS[name]
  // A password in a file is not in the list of processes, and not in the environment of child processes.
  const { [variableOf(name)]: own = "", [`${variableOf(name)}_FILE`]: file = "" } = env
  const value = own === "" && file !== "" ? valueIn(file) : own
  if (value === "") return undefined
  return repeatable ? value.split(",").map((part) => part.trim()) : [value]
}

/**
 * The value of one setting: from the flag, otherwise from the environment, otherwise the default.
 * @throws AppError `invalid`
 */
export function setting<Name extends SettingName>(
  name: Name,
  given: Given,
  env: NodeJS.ProcessEnv = process.env,
): ReturnType<(typeof SETTINGS)[Name]["read"]> {
  const { read, fallback }: Setting = SETTINGS[name]
  const texts = textsOf(name, given, env)
  // The compiler does not know which of the table's types belongs to this name.
  return read(texts ?? [fallback], name, texts !== undefined) as ReturnType<(typeof SETTINGS)[Name]["read"]>
}

const camel = (name: string): string =>
  name.replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase())

/** Whether a value of a setting means "none": the empty text, an empty list, or 0, which disables. */
const isNone = (value: unknown): boolean =>
  value === undefined || value === 0 || (Array.isArray(value) && value.length === 0)

/**
 * Refuses a setting that has no effect without another one, because the user expects an effect.
 * @throws AppError `invalid`
 */
function refuseAlone(name: SettingName, given: Given, env: NodeJS.ProcessEnv): void {
  const { needs }: Setting = SETTINGS[name]
  if (needs === undefined || textsOf(name, given, env) === undefined) return
  if (isNone(setting(name, given, env)) || !isNone(setting(needs, given, env))) return
  const named = (one: string): string => `--${one} (or ${variableOf(one)})`
  throw new AppError("invalid", `${named(name)} has no effect without ${named(needs)}; give both`)
}

/**
 * What `serve` runs with, from the flags, the environment and the defaults.
 * @throws AppError `invalid`, also for a setting that has no effect without another one that is not given
 */
export function serveSettings(given: Given, env: NodeJS.ProcessEnv = process.env): ServeSettings {
  const values = SERVE_SETTING_NAMES.map((name) => [camel(name), setting(name, given, env)])
  for (const name of SERVE_SETTING_NAMES) refuseAlone(name, given, env)
  return Object.fromEntries(values) as ServeSettings
}

/**
 * The token that this command sends: the one in the environment, otherwise the one in `--token-file`;
 * undefined if there is none.
 * @throws AppError `invalid` if the file holds no token, `unavailable` if it cannot be read
 */
export function token(given: Given, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { TRACK_STUDIO_TOKEN: secret = "" } = env
  if (secret !== "") return secret
  const file = setting("token-file", given, env)
  return file === undefined ? undefined : tokenIn(file)
}
