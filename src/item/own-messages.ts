/** The messages that the server itself gives to updates. */
export const OWN_MESSAGES = {
  created: "Queue item created",
  updated: "Queue item updated",
  cancelled: "Queue item cancelled",
  deleted: "Queue item deleted",
  retried: "Queued for a retry",
  started: "Processing started",
  completed: "Processing completed successfully",
  failed: "Processing failed",
  failedForNow: "Processing failed, another attempt will follow",
  lost: "Worker lost",
  lostForNow: "Worker lost, another attempt will follow",
  stalled: "No progress for a while",
  moved: "Moved in the queue",
  cancelRequested: "Cancel requested",
  released: "Released by its worker",
  /** The item was being rendered when the backup was made that is now in force. */
  restored: "Restored from a backup, another attempt will follow",
  /** The item waits in that backup, but a worker has taken it since. */
  kept: "Restored from a backup, waiting for its worker",
} as const

/** Those that say more than the status. */
const TELLING: readonly string[] = [
  OWN_MESSAGES.moved,
  OWN_MESSAGES.cancelRequested,
  OWN_MESSAGES.released,
  OWN_MESSAGES.restored,
  OWN_MESSAGES.kept,
]

const ROUTINE: ReadonlySet<string> = new Set(
  Object.values(OWN_MESSAGES).filter((message) => !TELLING.includes(message)),
)

/** Whether a message is one of the server's own, and says only what the status says. */
export const isRoutine = (message: string): boolean => ROUTINE.has(message)
