import { type OutputOptions, type Printed, ServerError } from "../client/client.ts"
import { AppError } from "../errors.ts"
import { OutputText } from "../terminal/output-as-text.ts"
import { offlineLine } from "../terminal/words.ts"
import { clientOf, type Command, idFlag, interrupted, print, toPeople, typedId } from "./command.ts"
import { type Arguments, refuseMoreWords } from "./usage.ts"

/**
 * The output of the item's command, or of the command of that song's item that was started last. @throws
 * AppError `invalid`
 */
function printedOf(given: Arguments, options: OutputOptions): AsyncGenerator<Printed, void, undefined> {
  const song = idFlag(given, "song")
  if (song !== undefined && given.words.length > 0)
    throw new AppError("invalid", "use either an ID or --song, not both")
  refuseMoreWords(given, 1)
  const client = clientOf(given)
  if (song !== undefined) return client.songOutput(song, options)
  if (given.words.length > 0) return client.output(typedId(given.words[0], "ID"), options)
  throw new AppError("invalid", "missing ID; or name a song with --song SONG_ID")
}

/** Prints what the command of an item printed. */
export const logsCommand: Command = {
  usage: {
    line: "logs ID | --song SONG_ID",
    about: `Prints what an item's command printed in its last attempt, or in --attempt N, as far as the server keeps
it: the whole lines, as a terminal would show them, without colours and without what was overwritten. With
--follow it continues with new output until the item is finished.`,
    settings: ["server", "token-file"],
    flags: {
      follow: { type: "boolean", short: "f", help: "continue with new output until the item is finished" },
      attempt: { type: "string", placeholder: "N", help: "only this attempt; default: the last one" },
      song: {
        type: "string",
        placeholder: "SONG_ID",
        help: "instead of an ID: the item of this song that was started last",
      },
    },
  },
  async run(given) {
    const isFollowed = given.flags["follow"] === true
    const text = new OutputText()
    let hasPrinted = false
    const signal = interrupted()
    const options = { attempt: idFlag(given, "attempt"), isFollowed, signal }
    for await (const said of printedOf(given, options)) {
      if (said.type === "piece") await print(text.next(said), signal)
      hasPrinted ||= said.type === "piece"
      if (said.type !== "offline") continue
      if (!isFollowed) throw new ServerError(said.status, said.reason, { code: said.code })
      toPeople(offlineLine(said))
    }
    await print(text.end, signal)
    if (!hasPrinted) toPeople("# no whole line was printed, or it is no longer kept")
    return 0
  },
}
