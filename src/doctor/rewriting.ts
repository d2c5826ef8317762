import { createHash } from "node:crypto"

import { faulty, type Finding, good, note, unknown } from "./finding.ts"
import { type Answer, type Patient, refusalIn, saidIn, sendRequest } from "./send-request.ts"

const ABOUT = "content"

/** What is read to see whether it arrives as it was sent; lists hold most of what people write. */
const READ: readonly string[] = ["/queue?limit=20", "/progress/stats", "/me"]

const DIGEST = /^sha-256=:(.+):$/

const read = (patient: Patient, path: string): Promise<Answer> =>
  sendRequest(patient, { path, headers: { "want-content-digest": "sha-256=10" } })

/**
 * The digest that the server sent with an answer; undefined if it sent none, as one of an older version does, or if only
 * a part of the answer came.
 */
const digestIn = ({ headers, end }: Answer): string | undefined =>
  end === "whole" ? DIGEST.exec(String(headers["content-digest"]))?.[1] : undefined

const digestOf = ({ text }: Answer): string => createHash("sha256").update(text, "latin1").digest("base64")

const rewritten = (what: string): Finding =>
  faulty(ABOUT, "rewritten", `${what} is changed on its way: what comes is not what was sent`)

/** The texts of people in a stream arrive as bytes. */
const objectIn = (text: string): Readonly<Record<string, unknown>> =>
  saidIn({ text: Buffer.from(text, "latin1").toString() })

/** One update of an item that exists, and its event ID. */
interface KnownUpdate {
  readonly item: number
  readonly id: number
  readonly update: Readonly<Record<string, unknown>>
}

/** The latest update of the first item of a list that arrived as it was sent; undefined if there is none. */
async function knownUpdate(patient: Patient, list: Answer): Promise<KnownUpdate | undefined> {
  const [item] = Object(saidIn(list)["queue"])
  if (typeof item?.id !== "number") return undefined
  const { updates } = objectIn((await read(patient, `/queue/${item.id}/updates`)).text)
  const { id, ...update } = Object(Array.isArray(updates) ? updates.at(-1) : undefined)
  return typeof id === "number" ? { item: item.id, id, update } : undefined
}

const LIVE = /^event: live\n/m

/** Whether a stream brings an update in other words than the history; undefined if it did not bring that update. */
async function differs(patient: Patient, { item, id, update }: KnownUpdate): Promise<boolean | undefined> {
  const { text } = await sendRequest(patient, {
    path: `/progress/stream/${item}?last_event_id=${id - 1}`,
    headers: { accept: "text/event-stream" },
    until: (text) => LIVE.test(text),
  })
  // Of a line that has no end, only a part may have come in time.
  const data = new RegExp(`^id: ${id}\\ndata: (.*)\\n`, "m").exec(text)?.[1]
  return data === undefined ? undefined : JSON.stringify(objectIn(data)) !== JSON.stringify(update)
}

/** Whether answers and streams arrive with the content that they were sent with. */
export async function rewritingOf(patient: Patient): Promise<Finding> {
  const answers = await Promise.all(READ.map((path) => read(patient, path)))
  const [list] = answers
  const signed = answers.filter((answer) => digestIn(answer) !== undefined)
  const changed = signed.find((answer) => digestIn(answer) !== digestOf(answer))
  if (changed) return rewritten(`the answer to ${READ[answers.indexOf(changed)]?.replace(/\?.*/, "")}`)
  if (list === undefined || !signed.includes(list))
    return unknown(ABOUT, (list && refusalIn(list).error) || "the server does not show its digest")
  const known = await knownUpdate(patient, list)
  if (known && (await differs(patient, known)) === true) return rewritten("the text of a stream")
  // What replaces words in bodies cannot know their length before it has read them.
  if (signed.some(({ headers }) => headers["content-length"] === undefined))
    return note(
      ABOUT,
      "arrives as it was sent, but without Content-Length: something on the way reads it, and may change it; nginx: remove sub_filter",
    )
  return good(ABOUT, "arrives as it was sent")
}
