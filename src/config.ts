import { AppError } from "./errors.ts"

/** One setting: a flag, and the environment variable TRACK_STUDIO_ and its name. */
export interface Setting {
  readonly help: string
  readonly placeholder: string
  readonly fallback: string
  /** Bounds of a whole number; absent for text. */
  readonly bounds?: readonly [least: number, most: number]
  readonly repeatable?: boolean
}

/** All settings of the program, by the name of their flag. */
export const SETTINGS = {
  host: { help: "address to listen on", placeholder: "ADDRESS", fallback: "127.0.0.1" },
  port: {
    help: "port to listen on; 0 takes a free one",
    placeholder: "N",
    fallback: "8080",
    bounds: [0, 65535],
  },
  database: {
    help: "the SQLite file; made where there is none",
    placeholder: "FILE",
    fallback: "./data/track-studio.db",
  },
  "cors-origin": {
    help: "origin that browsers may call from; repeatable, in the environment separated by commas",
    placeholder: "ORIGIN",
    fallback: "*",
    repeatable: true,
  },
  "keepalive-ms": {
    help: "silence on a stream before a keepalive",
    placeholder: "MS",
    fallback: "15000",
    bounds: [10, 52_000],
  },
  "max-lag": {
    help: "updates a stream may be behind before it gets a gap and the latest state; 0 never",
    placeholder: "N",
    fallback: "100000",
    bounds: [0, 1_000_000_000],
  },
  "stall-after-ms": {
    help: "how long a processing item may stand still before it is called stalled",
    placeholder: "MS",
    fallback: "120000",
    bounds: [100, 86_400_000],
  },
  "max-rescues": {
    help: "how often an item is taken back from workers that are gone before it is given up as lost; 0 for ever",
    placeholder: "N",
    fallback: "5",
    bounds: [0, 1_000_000],
  },
  webhook: {
    help: "URL that is told when an item completes, fails or stalls; repeatable, in the environment separated by commas",
    placeholder: "URL",
    fallback: "",
    repeatable: true,
  },
  "webhook-secret": {
    help: "signs what webhooks are told (HMAC-SHA256)",
    placeholder: "TEXT",
    fallback: "",
  },
  server: {
    help: "the server to talk to",
    placeholder: "URL",
    fallback: "http://127.0.0.1:8080",
  },
} as const satisfies Record<string, Setting>

/** The name of a setting, as its flag without the dashes. */
export type SettingName = keyof typeof SETTINGS

/** The settings of `serve`. */
export const SERVE_SETTINGS = [
  "host",
  "port",
  "database",
  "cors-origin",
  "keepalive-ms",
  "max-lag",
  "stall-after-ms",
  "max-rescues",
  "webhook",
  "webhook-secret",
] as const

/** What `serve` runs with. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly corsOrigins: readonly string[]
  readonly keepaliveMs: number
  readonly maxLag: number
  readonly stallAfterMs: number
  readonly maxRescues: number
  /** Empty where nobody is to be told. */
  readonly webhooks: readonly string[]
  /** Undefined where nothing is signed. */
  readonly webhookSecret: string | undefined
}

/** The environment variable of a setting. */
export const variableOf = (name: string): string => `TRACK_STUDIO_${name.toUpperCase().replaceAll("-", "_")}`

/**
 * Tells the framework, before it is loaded, that this is no development: else it writes each invalid body down at
 * length, to throw that away, and a wide one holds everybody up for a quarter of a second.
 */
export function forServing(env: NodeJS.ProcessEnv = process.env): void {
  env["NODE_ENV"] ??= "production"
}

/** Flags as parseArgs gives them. */
export type Given = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

/** A flag that is text, as parseArgs gave it; the last one where it was repeated. */
export const textFlag = (given: Given, name: string): string | undefined => {
  const value = given[name]
  return typeof value === "string" ? value : undefined
}

function valuesOf(name: SettingName, given: Given, env: NodeJS.ProcessEnv): readonly string[] {
  const flag = given[name]
  if (Array.isArray(flag)) return flag.map(String)
  if (typeof flag === "string") return [flag]
  const setting: Setting = SETTINGS[name]
  const value = env[variableOf(name)]
  if (value === undefined || value === "") return [setting.fallback]
  return setting.repeatable ? value.split(",").map((part) => part.trim()) : [value]
}

/**
 * The value of one setting: the flag, else the environment, else the default.
 * @throws AppError `invalid`
 */
export function setting(name: SettingName, given: Given, env: NodeJS.ProcessEnv = process.env): string {
  const value = valuesOf(name, given, env).at(-1) ?? ""
  if (value === "") throw new AppError("invalid", `--${name} is empty`)
  return value
}

function wholeNumber(name: SettingName, given: Given, env: NodeJS.ProcessEnv): number {
  const text = setting(name, given, env)
  const { bounds: [least, most] = [0, 0] }: Setting = SETTINGS[name]
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new AppError(
    "invalid",
    `--${name} (or ${variableOf(name)}) must be a whole number from ${least} to ${most}, not "${text}"`,
  )
}

/** @throws AppError `invalid` for what no browser would send as its origin, and so would never match */
function corsOrigins(given: Given, env: NodeJS.ProcessEnv): readonly string[] {
  const origins = valuesOf("cors-origin", given, env)
  for (const text of origins) {
    if (text === "*" || URL.parse(text)?.origin === text) continue
    throw new AppError(
      "invalid",
      `--cors-origin must be * or an origin such as https://studio.example:3000, without a path, not "${text}"`,
    )
  }
  return origins
}

/** @throws AppError `invalid` for what is no URL of a webhook */
function webhookUrls(given: Given, env: NodeJS.ProcessEnv): string[] {
  const urls = valuesOf("webhook", given, env).filter((url) => url !== "")
  for (const text of urls) {
    const url = URL.parse(text)
    if (url && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "") continue
    throw new AppError(
      "invalid",
      `--webhook must be a URL such as https://example.com/hook, without a password, not "${text}"`,
    )
  }
  return [...new Set(urls)]
}

/**
 * What `serve` runs with, from flags as parseArgs gave them, the environment and the defaults.
 * @throws AppError `invalid`
 */
export function config(given: Given, env: NodeJS.ProcessEnv = process.env): Config {
  return {
    host: setting("host", given, env),
    port: wholeNumber("port", given, env),
    database: setting("database", given, env),
    corsOrigins: corsOrigins(given, env),
    keepaliveMs: wholeNumber("keepalive-ms", given, env),
    maxLag: wholeNumber("max-lag", given, env),
    stallAfterMs: wholeNumber("stall-after-ms", given, env),
    maxRescues: wholeNumber("max-rescues", given, env),
    webhooks: webhookUrls(given, env),
    webhookSecret: valuesOf("webhook-secret", given, env).at(-1) || undefined,
  }
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

/** The environment of this process for a command that it runs; `undefined` takes a variable away. */
export const environment = (
  changes: Readonly<Record<string, string | undefined>>,
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv => ({ ...env, ...changes })

/** The item that the command we were started by has in hand, and the token of its lease; undefined without one. */
export function itemInHand(
  env: NodeJS.ProcessEnv = process.env,
): { readonly id: number; readonly token: string } | undefined {
  const { TRACK_STUDIO_ITEM_ID: id = "", TRACK_STUDIO_LEASE: token = "" } = env
  return /^[1-9]\d{0,15}$/.test(id) && token !== "" ? { id: Number(id), token } : undefined
}
