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

/** An example of the body, for each operation whose body is JSON. */
export const BODIES: Readonly<Record<string, object>> = {
  addItem: { song_id: 7, title: "Northern Lights", priority: 10 },
  changeItem: { title: "Northern Lights", priority: 20 },
  flagItem: { flag: "lyrics_issue" },
  moveItem: { before: 8 },
  retryItems: { status: "failed" },
  changeItems: { act: "cancel", ids: [7, 8] },
  claimItem: { worker: "box-1", wait: 30, tags: ["gpu"] },
  reportProgress: {
    progress: 54,
    current_step: "Rendering video",
    unit: { done: 3, total: 5, name: "images" },
  },
  completeItem: { video_file_path: "/videos/northern-lights.mp4" },
  failItem: { error_message: "out of disk", retryable: true },
  declareSteps: { steps: ["Image", "Loudness", "Render"] },
  createTicket: { path: "/api/v1/progress/stream" },
}

const PART = { attempt: 1, from: 262_144, to: 262_172, missing: 0, text: "Creating image 3 of 5 ...ok\n" }

/** An output as server-sent events. */
export const OUTPUT_SSE = `retry: 1000

id: 1-262172-1795694400000
data: ${JSON.stringify(PART)}

event: end
data: ${JSON.stringify({ attempt: 1, status: "completed", outcome: "completed" })}

`

/** An output as text whose beginning is no longer stored. */
export const OUTPUT_TEXT = `[262,144 bytes are not kept]
${PART.text}`
