import { platform } from "node:os"

import { ServerError } from "../client/requests.ts"
import { environment } from "../settings/environment.ts"
import { printable } from "../text.ts"
import { clientOf, type Command, pageUrl, say, typedId } from "./command.ts"
import { type Arguments, refuseMoreWords } from "./usage.ts"

/** The program that opens an address on each system. */
const OPENERS: Readonly<Record<string, readonly string[]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
}

/** Fails if there is no such item, or no server answers. @throws ServerError */
async function demandItem(given: Arguments, id: number): Promise<void> {
  try {
    await clientOf(given).get(id)
  } catch (error) {
    // The browser may have a token for it, or asks for one.
    if (!(error instanceof ServerError && (error.status === 401 || error.status === 403))) throw error
  }
}

/** Opens the page in a browser. */
export const openCommand: Command = {
  usage: {
    line: "open [ID]",
    about: "Opens the queue's page, or one item's page, in a browser, and prints its address.",
    settings: ["server", "token-file"],
    flags: { print: { type: "boolean", help: "only print the address" } },
  },
  async run(given) {
    refuseMoreWords(given, 1)
    const id = given.words[0] === undefined ? undefined : typedId(given.words[0], "ID")
    if (id !== undefined) await demandItem(given, id)
    const url = pageUrl(given, id)
    say(printable(url))
    const command = OPENERS[platform()] ?? ["xdg-open"]
    // On a machine without a browser, only the address can be given.
    if (given.flags["print"] || Bun.which(command[0] ?? "") === null) return 0
    const quiet = { stdin: "ignore", stdout: "ignore", stderr: "ignore" } as const
    Bun.spawn([...command, url], { ...quiet, env: environment({}) }).unref()
    return 0
  },
}
