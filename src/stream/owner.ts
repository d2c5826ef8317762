/** The owner of streams: one for all streams of a client. */
export class Owner {
  /** How many streams are open. */
  streams = 0
  /** Whether the client may watch no more: its streams end. */
  hasEnded = false
}
