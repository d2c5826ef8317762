import { LEVELS } from "../log.ts"
import {
  busUrl,
  databaseName,
  durationFrom,
  hostNames,
  isOn,
  listenAddress,
  networks,
  oneOf,
  optionalText,
  origins,
  type Read,
  serverUrl,
  tokenFile,
  webhookUrls,
  wholeNumber,
} from "./values-from-text.ts"

/** One setting: a flag, and the environment variable TRACK_STUDIO_ and its name. */
export interface Setting<T = unknown> {
  /** What the setting decides, with its unit and how to disable it, in one line. */
  readonly help: string
  /** The word for its value in the help, in capitals; absent for a switch, whose flag takes no value. */
  readonly placeholder?: string
  /** The values that it takes, which shells offer; default any. */
  readonly choices?: readonly string[]
  /** The default, as it would be typed; empty for none. */
  readonly fallback: string
  /** Whether the flag may be repeated; the variable then holds a list separated by commas. Default no. */
  readonly repeatable?: boolean
  /** The setting without which it has no effect; none by default. */
  readonly needs?: "backup-dir" | "webhook"
  /** Turns what was given into the value. */
  readonly read: Read<T>
}

/** The settings of `serve`, by the name of their flag: the one place where a setting is described. */
export const SERVE_SETTINGS = {
  host: { help: "address to listen on", placeholder: "ADDRESS", fallback: "127.0.0.1", read: listenAddress },
  port: {
    help: "port to listen on; 0 picks a free port",
    placeholder: "N",
    fallback: "8080",
    read: wholeNumber(0, 65_535),
  },
  database: {
    help: "SQLite file (serve creates it), or postgres://USER:PASSWORD@HOST/NAME",
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
    help: "file with the access token; serve writes an admin token into it if no token exists",
    placeholder: "FILE",
    fallback: "",
    read: tokenFile,
  },
  "trusted-proxy": {
    help: "address or network of a proxy whose X-Forwarded-For (or Forwarded) is believed; may be repeated",
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
    help: "one more host name that the server answers to, besides localhost, addresses, names without a dot and this machine's names; may be repeated",
    placeholder: "NAME",
    fallback: "",
    repeatable: true,
    read: hostNames,
  },
  "log-level": {
    help: "lowest level of the lines in the log: debug (every request), info, warn or error",
    placeholder: "LEVEL",
    choices: LEVELS,
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
    help: "how many requests of one token or address may wait for their answer, and as many again may stream output; 0 means no limit",
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
    help: "how many different sets of tags the waiting claims of one client may have; 0 means no limit",
    placeholder: "N",
    fallback: "64",
    read: wholeNumber(0, 100_000),
  },
  "max-database-mb": {
    help: "how large the database may grow, in MB: near that, the oldest finished history is deleted; 0 means no limit",
    placeholder: "N",
    fallback: "0",
    read: wholeNumber(0, 100_000_000),
  },
  "retain-updates": {
    help: "how long a finished item keeps all of its updates, at least 1d; 0 means for ever",
    placeholder: "TIME",
    fallback: "7d",
    read: durationFrom("1d"),
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
    read: durationFrom("1s"),
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
    help: "time between two backups in --backup-dir; 0 makes none",
    placeholder: "TIME",
    fallback: "24h",
    needs: "backup-dir",
    read: durationFrom("1s"),
  },
  "backup-keep": {
    help: "how many backups --backup-dir keeps before the oldest is deleted",
    placeholder: "N",
    fallback: "7",
    needs: "backup-dir",
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
    needs: "webhook",
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
