import { platform } from "node:os"

import { environment } from "../settings/environment.ts"
import { printable } from "../text.ts"
import { clientOf, type Command, pageUrl, say, typedId } from "./command.ts"
import { refuseMoreWords } from "./usage.ts"

/** The program that opens an address on each system. */
const OPENERS: Readonly<Record<string, readonly string[]>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
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
    if (id !== undefined) await clientOf(given).get(id)
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
