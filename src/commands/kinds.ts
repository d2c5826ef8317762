import type { Kinds } from "../client/client.ts"
import { counted, printable, safeJson, tookWords } from "../text.ts"
import { clientOf, type Command, nameFlag, say } from "./command.ts"
import { columnsOf } from "./list-table.ts"
import { saySentence } from "./sentence.ts"
import { hanging, refuseMoreWords } from "./usage.ts"

const NOTHING =
  "Nothing has been learned yet: the server learns from items that complete and have a kind, or whose workers report progress."

/** Lists what is learned from, or forgets a kind. */
export const kindsCommand: Command = {
  usage: {
    line: "kinds",
    about: `Lists the kinds of items that the server learned from: how many runs of each it remembers, and how long
they took on average. Its estimates are based on them.`,
    settings: ["server", "token-file"],
    flags: {
      forget: { type: "string", placeholder: "KIND", known: "kinds", help: "forget the runs of this kind" },
      json: { type: "boolean", help: "print one kind per line as JSON" },
    },
  },
  async run(given) {
    refuseMoreWords(given, 0)
    const client = clientOf(given)
    const forgotten = nameFlag(given, "forget")
    if (forgotten !== undefined) {
      const runs = await client.forgetRuns(forgotten)
      say(`${counted(runs, "run")} of "${printable(forgotten)}" forgotten.`)
      return 0
    }
    const { kinds } = await client.kinds()
    const columns = columnsOf(process.stdout)
    if (given.flags["json"]) for (const kind of kinds) say(safeJson(kind))
    else if (kinds.length === 0) saySentence(NOTHING)
    else for (const kind of kinds) say(hanging("", sentence(kind), columns, 2))
    return 0
  },
}

function sentence({ kind, look, runs, seconds }: Kinds["kinds"][number]): string {
  const about = look === kind || look === "" ? "" : ` (${printable(look)})`
  return `${printable(kind)}${about}: ${counted(runs, "run")}, ${tookWords(seconds)} on average`
}
