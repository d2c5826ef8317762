import { Type } from "@sinclair/typebox"

import { EventData, StreamLine } from "../../wire/answers.ts"
import type { Success } from "./words.ts"

const UPDATE = {
  queue_id: 7,
  song_id: 1,
  status: "processing",
  current_step: "Rendering video",
  progress: 54,
  message: "Creating image 3 of 5",
  timestamp: "2026-11-22T11:31:57.236Z",
  attempt: 1,
}
const LIVE = { last_event_id: 41, history: "7b7af68a3bfd1e96" }

const SSE = `: track-studio
retry: 1926

id: 41
data: ${JSON.stringify(UPDATE)}

event: live
id: 41
data: ${JSON.stringify(LIVE)}

`
const NDJSON = `${JSON.stringify({ id: 41, ...UPDATE })}
${JSON.stringify({ event: "live", ...LIVE })}
`
const TEXT = `11:31:57 #7  processing  54%  Rendering video - Creating image 3 of 5
# live after update 41
`

/** An open stream in each of its formats. */
export const OPEN_STREAM: Success = {
  status: 200,
  about: "the stream, which stays open",
  content: {
    "text/event-stream": { schema: EventData, example: UPDATE, wire: SSE },
    "application/x-ndjson": { schema: StreamLine, example: { id: 41, ...UPDATE }, wire: NDJSON },
    "text/plain": { schema: Type.String(), wire: TEXT },
  },
}

const PART = { attempt: 1, from: 262_144, to: 262_172, missing: 0, text: "Creating image 3 of 5 ...ok\n" }

/** An output as server-sent events. */
export const OUTPUT_SSE = `retry: 1000

id: 1-262172
data: ${JSON.stringify(PART)}

event: end
data: ${JSON.stringify({ attempt: 1, status: "completed" })}

`

/** An output as text, of which the beginning is not kept any more. */
export const OUTPUT_TEXT = `[262,144 bytes are not kept]
${PART.text}`
