import { proxyAsInherited } from "./proxy.ts"

/**
 * Sets NODE_ENV before Elysia loads. In development mode it serializes every invalid body for an error message that we
 * do not use; a large one blocks the event loop for 250 ms.
 */
export function forServing(): void {
  process.env["NODE_ENV"] ??= "production"
}

/** Of our rights, a command may have only the lease. */
const WITHOUT_TOKEN = { TRACK_STUDIO_TOKEN: undefined, TRACK_STUDIO_TOKEN_FILE: undefined }

/** The environment of this process for a command that it runs; `undefined` removes a variable. */
export const environment = (changes: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv => ({
  ...process.env,
  ...proxyAsInherited(),
  ...WITHOUT_TOKEN,
  ...changes,
})

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
 * The marks of the commands that started this program, directly or not. Each of these commands finds this
 * program by its mark. Empty if no such command started it.
 */
export const outerMarks = (): string => process.env["TRACK_STUDIO_RUN"] ?? ""

/**
 * The item that the command around this program works on, and the token of its lease; undefined if there is
 * none.
 */
export function itemInHand(
  env: NodeJS.ProcessEnv = process.env,
): { readonly id: number; readonly token: string } | undefined {
  const { TRACK_STUDIO_ITEM_ID: id = "", TRACK_STUDIO_LEASE: token = "" } = env
  return /^[1-9]\d{0,15}$/.test(id) && token !== "" ? { id: Number(id), token } : undefined
}
