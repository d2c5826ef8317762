import { LEVELS } from "../log.ts"
import { proxyAsInherited } from "./proxy.ts"
import { tokenIn, valueIn } from "./token-file.ts"
import {
  busUrl,
  databaseName,
  duration,
  hostNames,
  isOn,
  listenAddress,
  networks,
  oneOf,
  optionalText,
  origins,
  type Read,
  serverUrl,
  variableOf,
  webhookUrls,
  wholeNumber,
} from "./values.ts"

/** One setting: a flag, and the environment variable TRACK_STUDIO_ and its name. */
export interface Setting<T = unknown> {
  /** What it decides, with its unit and how to disable it, in one line. */
  readonly help: string
  /** What its value stands for in the help, in capitals; absent for a switch, whose flag takes no value. */
  readonly placeholder?: string
  /** The default, as it would be typed; empty for none. */
  readonly fallback: string
  /** Whether the flag may be repeated; the variable then holds a list separated by commas. Default no. */
  readonly repeatable?: boolean
  /** Turns what was given into the value. */
  readonly read: Read<T>
}

/** The settings of `serve`, by the name of their flag: the one place where a setting is described. */
const SERVE_SETTINGS = {
  host: { help: "address to listen on", placeholder: "ADDRESS", fallback: "127.0.0.1", read: listenAddress },
  port: {
    help: "port to listen on; 0 picks a free port",
    placeholder: "N",
    fallback: "8080",
    read: wholeNumber(0, 65_535),
  },
  database: {
    help: "SQLite file, created if it does not exist; or postgres://USER:PASSWORD@HOST/NAME",
    placeholder: "FILE",
    fallback: "./data/track-studio.db",
    read: databaseName,
  },
  bus: {
    help: "Redis that carries notifications and request limits between the servers of a fleet, instead of PostgreSQL",
    placeholder: "URL",
    fallback: "",
    read: busUrl,
  },
  "new-database": {
    help: "start even if the database is gone, or is not the one that the last server used",
    fallback: "",
    read: isOn,
  },
  "one-per-song": {
    help: "give workers no item of a song while another item of that song is being rendered",
    fallback: "",
    read: isOn,
  },
  open: {
    help: "let anyone who reaches the port do everything, as long as no token exists",
    fallback: "",
    read: isOn,
  },
  "token-file": {
    help: "file with the token to send; serve creates an admin token in it if no token exists",
    placeholder: "FILE",
    fallback: "",
    read: optionalText,
  },
  "trusted-proxy": {
    help: "address or network of a proxy whose X-Forwarded-For, or else Forwarded, counts; may be repeated",
    placeholder: "ADDRESS",
    fallback: "",
    repeatable: true,
    read: networks,
  },
  "cors-origin": {
    help: "origin whose pages may call the server and, unless it is *, change things; may be repeated",
    placeholder: "ORIGIN",
    fallback: "*",
    repeatable: true,
    read: origins,
  },
  "allowed-host": {
    help: "host name that the server answers to, beside localhost, addresses and this machine's; may be repeated",
    placeholder: "NAME",
    fallback: "",
    repeatable: true,
    read: hostNames,
  },
  "log-level": {
    help: "lowest level of the lines in the log: debug (every request), info, warn or error",
    placeholder: "LEVEL",
    fallback: "info",
    read: oneOf(LEVELS),
  },
  "keepalive-ms": {
    help: "milliseconds without an update before a stream gets a keepalive",
    placeholder: "MS",
    fallback: "15000",
    read: wholeNumber(10, 52_000),
  },
  "max-lag": {
    help: "how many updates a slow stream may lag before it skips to the current state; 0 disables",
    placeholder: "N",
    fallback: "100000",
    read: wholeNumber(0, 1_000_000_000),
  },
  "stall-after-ms": {
    help: "milliseconds without progress before a processing item counts as stalled",
    placeholder: "MS",
    fallback: "120000",
    read: wholeNumber(100, 86_400_000),
  },
  "max-rescues": {
    help: "how many times an item may lose its worker before it is marked lost; 0 means no limit",
    placeholder: "N",
    fallback: "5",
    read: wholeNumber(0, 1_000_000),
  },
  "max-streams": {
    help: "how many streams may be open, at most 80 % of the file descriptors; 0 means no limit",
    placeholder: "N",
    fallback: "10000",
    read: wholeNumber(0, 1_000_000),
  },
  "streams-per-client": {
    help: "how many streams one token or address may have open; 0 means no limit",
    placeholder: "N",
    fallback: "1000",
    read: wholeNumber(0, 1_000_000),
  },
  "replays-per-client": {
    help: "how many streams of one token or address may read the history at once, while the others wait; 0 means no limit",
    placeholder: "N",
    fallback: "4",
    read: wholeNumber(0, 1_000_000),
  },
  "held-per-client": {
    help: "how many requests of one token or address may wait for their answer, and how many may stream output; 0 means no limit",
    placeholder: "N",
    fallback: "256",
    read: wholeNumber(0, 1_000_000),
  },
  "requests-per-address": {
    help: "requests per second from one address, with bursts of four times as many; 0 means no limit",
    placeholder: "N",
    fallback: "100",
    read: wholeNumber(0, 1_000_000),
  },
  "requests-per-token": {
    help: "requests per second with one token, with bursts of four times as many; 0 means no limit",
    placeholder: "N",
    fallback: "1000",
    read: wholeNumber(0, 1_000_000),
  },
  "reports-per-lease": {
    help: "a worker's requests per second with one lease, with bursts of four times as many; 0 means no limit",
    placeholder: "N",
    fallback: "20",
    read: wholeNumber(0, 1_000_000),
  },
  "max-tag-sets": {
    help: "how many different sets of tags the waiting claims may have; 0 means no limit",
    placeholder: "N",
    fallback: "64",
    read: wholeNumber(0, 100_000),
  },
  "max-database-mb": {
    help: "how large the database may grow, in MB, before the oldest finished history is deleted; 0 means no limit",
    placeholder: "N",
    fallback: "0",
    read: wholeNumber(0, 100_000_000),
  },
  "retain-updates": {
    help: "how long a finished item keeps all of its updates, at least 1d; 0 means for ever",
    placeholder: "TIME",
    fallback: "7d",
    read: duration,
  },
  "retain-per-item": {
    help: "how many updates an item keeps before its oldest are deleted; 0 means no limit",
    placeholder: "N",
    fallback: "10000",
    read: wholeNumber(0, 1_000_000_000),
  },
  "retain-items": {
    help: "how long finished items are kept, such as 90d; 0 means for ever",
    placeholder: "TIME",
    fallback: "0",
    read: duration,
  },
  "keep-output-kb": {
    help: "how much of each attempt's output is kept, in kB, counted from its end; 0 keeps nothing",
    placeholder: "N",
    fallback: "256",
    read: wholeNumber(0, 1_000_000),
  },
  "backup-dir": {
    help: "folder for backups that the server makes by itself",
    placeholder: "FOLDER",
    fallback: "",
    read: optionalText,
  },
  "backup-every": {
    help: "time between two such backups",
    placeholder: "TIME",
    fallback: "24h",
    read: duration,
  },
  "backup-keep": {
    help: "how many such backups are kept before the oldest is deleted",
    placeholder: "N",
    fallback: "7",
    read: wholeNumber(1, 10_000),
  },
  webhook: {
    help: "URL to call when an item completes, fails or stalls; may be repeated",
    placeholder: "URL",
    fallback: "",
    repeatable: true,
    read: webhookUrls,
  },
  "webhook-secret": {
    help: "secret that signs webhook requests (HMAC-SHA256)",
    placeholder: "TEXT",
    fallback: "",
    read: optionalText,
  },
} as const satisfies Readonly<Record<string, Setting>>

/** The names of the settings of `serve`; Object.keys forgets which keys they are. */
export const SERVE_SETTING_NAMES = Object.keys(SERVE_SETTINGS) as (keyof typeof SERVE_SETTINGS)[]

/** The settings of all commands, by the name of their flag. */
export const SETTINGS = {
  ...SERVE_SETTINGS,
  server: {
    help: "server to talk to",
    placeholder: "URL",
    fallback: "http://127.0.0.1:8080",
    read: serverUrl,
  },
} as const satisfies Readonly<Record<string, Setting>>

/** The name of a setting, as its flag without the dashes. */
export type SettingName = keyof typeof SETTINGS

type Camel<Name extends string> = Name extends `${infer First}-${infer Rest}`
  ? `${First}${Capitalize<Camel<Rest>>}`
  : Name

/** What `serve` runs with: the value of each of its settings, `keepaliveMs` for `--keepalive-ms`. */
export type Config = {
  readonly [Name in keyof typeof SERVE_SETTINGS as Camel<Name>]: ReturnType<
    (typeof SERVE_SETTINGS)[Name]["read"]
  >
}

/**
 * Sets NODE_ENV before Elysia loads. In development mode it serializes every invalid body for an error message that we
 * do not use; a large one blocks the event loop for 250 ms.
 */
export function forServing(env: NodeJS.ProcessEnv = process.env): void {
  env["NODE_ENV"] ??= "production"
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
  // A password in a file is in no list of processes, and not in the environment of what they start.
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
  // The table's own type, which an index forgets.
  return read(texts ?? [fallback], name, texts !== undefined) as ReturnType<(typeof SETTINGS)[Name]["read"]>
}

const camel = (name: string): string =>
  name.replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase())

/**
 * What `serve` runs with, from the flags, the environment and the defaults.
 * @throws AppError `invalid`
 */
export function config(given: Given, env: NodeJS.ProcessEnv = process.env): Config {
  const values = SERVE_SETTING_NAMES.map((name) => [camel(name), setting(name, given, env)])
  return Object.fromEntries(values) as Config
}

/** What is known of the place where a command writes. */
interface Output {
  readonly isTTY?: boolean
}

/**
 * Whether to write colours: FORCE_COLOR decides (`0` and `false` forbid), then NO_COLOR (anything but empty forbids),
 * then whether it is a terminal that can.
 */
export function wantsColour(output: Output, env: NodeJS.ProcessEnv = process.env): boolean {
  const forced = env["FORCE_COLOR"]
  if (forced !== undefined) return forced !== "0" && forced !== "false"
  if (env["NO_COLOR"]) return false
  return isLively(output, env)
}

/** Whether what was written there can be drawn over. */
export const isLively = (output: Output, env: NodeJS.ProcessEnv = process.env): boolean =>
  output.isTTY === true && env["TERM"] !== "dumb"

/** The lease is all that a command may have of our rights. */
const WITHOUT_TOKEN = { TRACK_STUDIO_TOKEN: undefined, TRACK_STUDIO_TOKEN_FILE: undefined }

/**
 * The token that this command sends: that of the environment, otherwise that of `--token-file`; undefined without one.
 * @throws AppError `invalid` if the file holds no token, `unavailable` if it cannot be read
 */
export function token(given: Given, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { TRACK_STUDIO_TOKEN: secret = "" } = env
  if (secret !== "") return secret
  const file = setting("token-file", given, env)
  return file === undefined ? undefined : tokenIn(file)
}

/** The environment of this process for a command that it runs; `undefined` removes a variable. */
export const environment = (
  changes: Readonly<Record<string, string | undefined>>,
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv => ({ ...env, ...proxyAsInherited(), ...WITHOUT_TOKEN, ...changes })

/**
 * The folder for what a worker of this user keeps over its own restart: `XDG_STATE_HOME/track-studio`, by default
 * `~/.local/state/track-studio`. Undefined without a home.
 */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const { XDG_STATE_HOME: state = "", HOME: home = "" } = env
  if (state.startsWith("/")) return `${state}/track-studio`
  return home.startsWith("/") ? `${home}/.local/state/track-studio` : undefined
}

/**
 * The marks of the commands that started this program, directly or not; each of them finds us by its mark.
 * Empty if no such command did.
 */
export const outerMarks = (env: NodeJS.ProcessEnv = process.env): string => env["TRACK_STUDIO_RUN"] ?? ""

/** The item that the command around us works on, and the token of its lease; undefined without one. */
export function itemInHand(
  env: NodeJS.ProcessEnv = process.env,
): { readonly id: number; readonly token: string } | undefined {
  const { TRACK_STUDIO_ITEM_ID: id = "", TRACK_STUDIO_LEASE: token = "" } = env
  return /^[1-9]\d{0,15}$/.test(id) && token !== "" ? { id: Number(id), token } : undefined
}
