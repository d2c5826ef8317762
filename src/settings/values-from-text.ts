import { AppError } from "../errors.ts"
import { net } from "../lazy-node.ts"
import { isToken } from "../token-format.ts"

/**
 * Turns what was given for a setting, or its default, into its value. `texts` is never empty.
 * @throws AppError `invalid`
 */
export type Read<T> = (texts: readonly string[], name: string, isGiven: boolean) => T

/** The environment variable of a setting. */
export const variableOf = (name: string): string => `TRACK_STUDIO_${name.toUpperCase().replaceAll("-", "_")}`

/** The value given last. */
const last = (texts: readonly string[]): string => texts.at(-1) ?? ""

/** One of these words. */
export const oneOf =
  <const Word extends string>(words: readonly Word[]): Read<Word> =>
  (texts, name) => {
    const word = words.find((one) => one === last(texts))
    if (word === undefined) {
      throw new AppError("invalid", `--${name} must be one of ${words.join(", ")}, not "${last(texts)}"`)
    }
    return word
  }

/** Any text but the empty one. */
const text = (texts: readonly string[], name: string): string => {
  const value = last(texts)
  if (value === "") throw new AppError("invalid", `--${name} is empty`)
  return value
}

/** Any text; undefined for the empty one. */
export const optionalText: Read<string | undefined> = (texts) => last(texts) || undefined

/** The path of a file with a token; undefined for the empty text. A token in its place would become the name of a file. */
export const tokenFile: Read<string | undefined> = (texts, name) => {
  const given = last(texts)
  if (!isToken(given)) return given || undefined
  throw new AppError("invalid", `--${name} must be a file that holds the token, not the token itself`)
}

/** A whole number within bounds. */
export const wholeNumber =
  (least: number, most: number): Read<number> =>
  (texts, name) => {
    const given = text(texts, name)
    const value = /^\d{1,12}$/.test(given) ? Number(given) : Number.NaN
    if (value >= least && value <= most) return value
    throw new AppError(
      "invalid",
      `--${name} (or ${variableOf(name)}) must be a whole number from ${least} to ${most}, not "${given}"`,
    )
  }

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * A time such as `90s`, `30m`, `12h` or `7d` in milliseconds. `units` are the letters that may end it. Undefined for
 * any other text.
 */
export function msIn(text: string, units: string): number | undefined {
  const [, count, unit = ""] = /^(0|[1-9]\d{0,5})([smhd])$/.exec(text) ?? []
  return count !== undefined && units.includes(unit) ? Number(count) * (UNITS_MS[unit] ?? 0) : undefined
}

/** A time such as 7d, 12h, 30m or 90s, in milliseconds, and not shorter than `least`; 0 is none. */
export const durationFrom =
  (least: "1s" | "1d"): Read<number> =>
  (texts, name) => {
    const given = text(texts, name)
    if (given === "0") return 0
    const ms = msIn(given, "smhd")
    if (ms && ms >= (msIn(least, "smhd") ?? 0)) return ms
    const wanted = ms ? `at least ${least}` : "a time such as 7d, 12h, 30m or 90s, at most 999999d"
    throw new AppError(
      "invalid",
      `--${name} (or ${variableOf(name)}) must be ${wanted}, or 0, not "${given}"`,
    )
  }

/** A switch: on if its flag is given, or if its variable is 1 or true. */
export const isOn: Read<boolean> = (texts, name) => {
  const value = last(texts).toLowerCase()
  if (value === "1" || value === "true") return true
  if (value === "" || value === "0" || value === "false") return false
  throw new AppError("invalid", `${variableOf(name)} must be 1, true, 0 or false, not "${value}"`)
}

/**
 * Only an origin as a browser sends it is accepted: anything else would never match. By default none is
 * listed.
 */
export const origins: Read<readonly string[]> = (texts, name, isGiven) => {
  for (const given of texts) {
    const isOrigin = /^https?:[^*,]+$/.test(given) && URL.parse(given)?.origin === given
    if (given === "*" || isOrigin) continue
    throw new AppError(
      "invalid",
      `--${name} must be * or an origin such as https://studio.example:3000, without a path, not "${given}"`,
    )
  }
  return isGiven ? texts : []
}

/**
 * An address or a host name to listen on, in its usual spelling. An IPv6 address may have brackets, which are
 * removed.
 */
export const listenAddress: Read<string> = (texts, name) => {
  const given = text(texts, name)
  const [, bare = given] = /^\[(.*)\]$/.exec(given) ?? []
  // The name of a network card stays as it is, because no URL can contain one.
  const [address = "", card] = bare.split("%", 2)
  const isIPv6 = address.includes(":")
  const host = URL.parse(`http://${isIPv6 ? `[${address}]` : given}`)?.hostname.replace(/^\[|\]$|\.$/g, "")
  if (host && !/[\s/?#@*]/.test(given) && (isIPv6 || bare === given)) {
    return card === undefined ? host : `${host}%${card}`
  }
  throw new AppError(
    "invalid",
    `--${name} (or ${variableOf(name)}) must be an address or a host name, such as 127.0.0.1, 0.0.0.0 or ::, without scheme and port, not "${given}"`,
  )
}

/** An address of IPv6, or names with dots between them; a dot at the end means the same host. */
const HOST_NAME = /^(\[[^\]]+\]|[\w-]+(?:\.[\w-]+)*)\.?$/

/** Host names as a browser would send them, without a dot at the end. */
export const hostNames: Read<readonly string[]> = (texts, name, isGiven) =>
  (isGiven ? texts : []).map((given) => {
    const lower = given.toLowerCase()
    const [, host] = HOST_NAME.exec(lower) ?? []
    if (host !== undefined && URL.parse(`http://${given}`)?.hostname === lower) return host
    throw new AppError(
      "invalid",
      `--${name} must be a host name such as studio.example, without scheme, port and path, not "${given}"`,
    )
  })

/** Addresses, or networks such as 10.0.0.0/8. */
export const networks: Read<readonly string[]> = (texts, name) => {
  const given = texts.filter((network) => network !== "")
  for (const network of given) {
    const [address = "", bits = "0", ...others] = network.split("/")
    const most = net().isIPv4(address) ? 32 : net().isIPv6(address) ? 128 : -1
    if (others.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most) continue
    throw new AppError(
      "invalid",
      `--${name} must be an address or a network such as 10.0.0.0/8, not "${network}"`,
    )
  }
  return given
}

/** URLs of webhooks, each once; without a password, which would be shown. What was given is not repeated: it may hold a secret. */
export const webhookUrls: Read<readonly string[]> = (texts, name) => {
  const urls = texts.filter((given) => given !== "")
  for (const given of urls) {
    const url = URL.parse(given)
    if (url && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "") continue
    throw new AppError(
      "invalid",
      `--${name} must be a URL such as https://example.com/hook, without a password`,
    )
  }
  return [...new Set(urls)]
}

/** The URL of a server; null for none, for one with several hosts, and if its user, password or path cannot be decoded. */
function urlOf(given: string): URL | null {
  const url = URL.parse(given)
  try {
    decodeURIComponent(`${url?.username}${url?.password}${url?.pathname}`)
    return url?.hostname.includes(",") ? null : url
  } catch {
    return null
  }
}

/** How to write a character in a password that has a meaning in a URL. */
const ENCODED = "a password with one of % / # ? @ is percent-encoded, as %25 for %"

/**
 * A SQLite file, or the URL of a PostgreSQL server. What looks like another URL is not taken for a file,
 * or each server would have its own queue. What was given is not repeated: it may hold a password.
 */
export const databaseName: Read<string> = (texts, name) => {
  const given = text(texts, name)
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(given)) return given
  const url = urlOf(given)
  if (url && /^postgres(ql)?:$/.test(url.protocol))
    return `${url.protocol}${given.slice(url.protocol.length)}`
  throw new AppError(
    "invalid",
    `--${name} must be a SQLite file, or a URL such as postgres://user:password@host/database, which names one host; ${ENCODED}`,
  )
}

/** The beginnings of a URL that names a bus. */
const BUS_SCHEME = /^(redis|rediss|valkey|valkeys|postgres|postgresql):$/

/** Where instances ring for each other; undefined if nothing is named. What was given is not repeated: it may hold a password. */
export const busUrl: Read<string | undefined> = (texts, name) => {
  const given = last(texts)
  if (given === "") return undefined
  const url = urlOf(given)
  if (url && BUS_SCHEME.test(url.protocol) && url.hostname !== "") return given
  throw new AppError(
    "invalid",
    `--${name} (or ${variableOf(name)}) must be a URL such as redis://host:6379 or postgres://user@host/database; ${ENCODED}`,
  )
}

/**
 * A URL, or a host and a port alone, as in `box:8080`. It is given in one spelling, because the leases that are kept for
 * a server are found by its address.
 */
export const serverUrl: Read<string> = (texts, name) => {
  const given = text(texts, name)
  const url = /^[a-z][a-z\d+.-]*:\/\//i.test(given) ? given : `http://${given}`
  const parsed = URL.parse(url)
  if (parsed && /^https?:$/.test(parsed.protocol)) return parsed.href.replace(/\/+$/, "")
  throw new AppError("invalid", `--${name} must be a URL such as http://box:8080, not "${given}"`)
}
