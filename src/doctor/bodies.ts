import { type Answer, exchange, isLimit, type Patient, refusalIn } from "./exchange.ts"
import { faulty, type Finding, good, unknown } from "./finding.ts"

/** A renderer's output for an item that is never added: the server refuses it as soon as it begins. */
const INGEST = { method: "POST", path: "/queue/9007199254740991/ingest/lines", unfinished: "0 %\n" } as const

/** More than any renderer prints. */
const LARGE_BYTES = 1e9

const hasBegun = (): boolean => true

/** Whether the output of a renderer, which may last for hours, reaches the server while it is sent. */
export async function bodiesOf(patient: Patient): Promise<readonly Finding[]> {
  const [endless, large] = await Promise.all([
    exchange(patient, { ...INGEST, until: hasBegun }),
    exchange(patient, { ...INGEST, until: hasBegun, headers: { "content-length": String(LARGE_BYTES) } }),
  ])
  return [pieces(endless, patient), size(large)]
}

function pieces({ status, reason }: Answer, { patienceMs }: Patient): Finding {
  const about = "ingest"
  if (status !== 0) return good(about, "bodies arrive while they are sent")
  if (reason !== "") return unknown(about, `the connection broke: ${reason}`)
  return faulty(
    about,
    "body_buffered",
    `a body arrives only once it is whole (nothing within ${patienceMs / 1000} s): a render shows nothing till its end`,
  )
}

function size({ status }: Answer): Finding {
  const about = "ingest, size"
  if (status === 413)
    return faulty(about, "body_limited", "large bodies are refused: a long render breaks off")
  if (status === 0) return unknown(about, "large bodies were not answered")
  return good(about, "bodies may have any size")
}

/** It watches an item that is never added. */
const SOCKET = "/progress/ws?ids=9007199254740991"

/** Milliseconds until a WebSocket of the server's own page says that it is live; undefined if it never does. */
function liveSocket({ url, token, patienceMs }: Patient): Promise<number | undefined> {
  const startedMs = performance.now()
  const address = `${url.href.replace(/^http/, "ws").replace(/\/+$/, "")}/api/v1${SOCKET}`
  const headers = { origin: url.origin, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  // Bun takes headers; the DOM's types, which the page needs, do not know that.
  const socket = new WebSocket(address, { headers } as unknown as string[])
  return new Promise((resolve) => {
    const end = (ms?: number): void => {
      clearTimeout(timer)
      resolve(ms)
      socket.close()
    }
    const timer = setTimeout(end, patienceMs)
    socket.onmessage = ({ data }) => {
      if (String(data).includes('"event":"live"')) end(performance.now() - startedMs)
    }
    socket.onclose = () => end()
  })
}

/** Whether a WebSocket opens, from the server's own page. */
export async function socketOf(patient: Patient): Promise<Finding> {
  const about = "WebSockets"
  const ms = await liveSocket(patient)
  if (ms !== undefined) return good(about, `open after ${Math.ceil(ms)} ms`)
  // The WebSocket client hides the refusal, so a plain request asks for it.
  const answer = await exchange(patient, {
    path: SOCKET,
    headers: {
      origin: patient.url.origin,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dHJhY2sgc3R1ZGlvIDopIQ==",
    },
  })
  const { status } = answer
  if (status === 101) return faulty(about, "not_upgraded", "open, and then nothing comes")
  const { error } = refusalIn(answer)
  const what = error || (status === 0 ? "there is no answer" : `the answer is ${status}`)
  return faulty(about, isLimit(answer) ? "limited" : "not_upgraded", `do not open: ${what}`)
}
