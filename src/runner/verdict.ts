import { type Static, Type } from "@sinclair/typebox"

import { type Client, type Held, ServerError } from "../client/client.ts"
import { Result, type Step } from "../item/item.ts"
import { stepWords } from "../item/step-span.ts"
import { isWhole } from "../renderers/whole-from-98-percent.ts"
import { FailRequest } from "../wire/requests.ts"
import type { CommandEnd } from "./command-process.ts"
import type { FilesEnd } from "./expected-files.ts"

/**
 * Exit codes that mean by convention: wrong usage, wrong input, not executable, not found. Another attempt
 * would end the same way.
 */
const FINAL_CODES: readonly number[] = [64, 65, 126, 127]

/** How a worker ends its lease: the item is completed, its attempt failed, or it goes back to the queue. */
export const Verdict = Type.Union([
  Type.Object({
    end: Type.Literal("complete"),
    /** What is entered into the item; `{}` for nothing. */
    result: Result,
  }),
  Type.Object({
    end: Type.Literal("fail"),
    /** The reason, and whether another attempt makes sense. */
    failure: FailRequest,
  }),
  Type.Object({ end: Type.Literal("release") }),
])
export type Verdict = Static<typeof Verdict>

/** An older server does not know that a failed attempt can be cancelled. */
async function fail(client: Client, held: Held, failure: FailRequest): Promise<void> {
  const { cancelled, ...older } = failure
  try {
    await client.fail(held, failure)
  } catch (error) {
    if (!cancelled || !(error instanceof ServerError) || error.status !== 422) throw error
    await client.fail(held, older)
  }
}

/** Ends the lease with this verdict. A repetition changes nothing. @throws ServerError */
export async function deliver(client: Client, held: Held, verdict: Verdict): Promise<void> {
  if (verdict.end === "complete") await client.complete(held, verdict.result)
  else if (verdict.end === "fail") await fail(client, held, verdict.failure)
  else await client.release(held)
}

/** Whether a verdict cancels its item. */
export const isCancelling = (verdict: Verdict): boolean =>
  verdict.end === "fail" && verdict.failure.cancelled === true

/** A verdict in one word. */
export const wordOf = (verdict: Verdict): string =>
  isCancelling(verdict)
    ? "cancelled"
    : { complete: "completed", fail: "failed", release: "returned to the queue" }[verdict.end]

/** Why we stopped a command: the item was cancelled, the item goes back to the queue, or we received a signal. */
export type Stop =
  /** The item was cancelled, for this reason; `isTaken`: another worker has it, and writes the same file. */
  | { readonly by: "cancel"; readonly reason: string; readonly isTaken?: boolean }
  | { readonly by: "release" }
  /** We received this signal; it was passed on to the command. */
  | { readonly by: "signal"; readonly signal: NodeJS.Signals }

const percent = (fraction: number): string => `${Math.floor(fraction * 1000) / 10} %`

function errorMessageOf({ code, signal, evidence, lastLines }: CommandEnd, stop: Stop | undefined): string {
  const after = stop?.by === "signal" ? ` after ${stop.signal}` : ""
  const at = code === 0 && evidence.reached !== null ? ` at ${percent(evidence.reached)} of its total` : ""
  const first =
    signal === null
      ? `the command ended with code ${code}${at}${after}`
      : `the command was ended by ${signal}`
  return lastLines === "" ? first : `${first}\n${lastLines}`
}

const failed = (failure: FailRequest): Verdict => ({ end: "fail", failure })

/**
 * The verdict on a command that ended. An exit code in `releaseCodes` is not the item's fault. `found` says
 * whether the files that the command must write exist and are whole.
 */
export function verdictOn(
  end: CommandEnd,
  stop: Stop | undefined,
  releaseCodes: readonly number[],
  found: FilesEnd | undefined,
): Verdict {
  if (stop?.by === "release" || releaseCodes.includes(end.code)) return { end: "release" }
  if (stop?.by === "cancel") return failed({ error_message: `stopped: ${stop.reason}`, retryable: false })
  const { failure, reached, seen } = end.evidence
  // A renderer can exit with 0 although it wrote nothing that can be played.
  if (end.code === 0 && failure !== undefined) return failed({ error_message: failure, retryable: true })
  // The time that ffmpeg reports can be less than what it wrote, so the file decides.
  if (end.code !== 0 || !(isWhole(reached ?? 1) || found?.isWhole)) {
    return failed({ error_message: errorMessageOf(end, stop), retryable: !FINAL_CODES.includes(end.code) })
  }
  if (found?.failure !== undefined) return failed({ error_message: found.failure, retryable: true })
  return { end: "complete", result: { ...found?.files, ...(seen !== undefined && { message: seen }) } }
}

/** The verdict after Ctrl-C on an item that only this command can render: it is cancelled instead of failed. */
export const cancelling = (verdict: Verdict): Verdict =>
  verdict.end === "fail"
    ? { ...verdict, failure: { ...verdict.failure, retryable: false, cancelled: true } }
    : verdict

/** The verdict on a step. A failure says which step it was. */
export function onStep(verdict: Verdict, step: Step | undefined): Verdict {
  if (verdict.end !== "fail" || step === undefined) return verdict
  const { failure } = verdict
  return {
    ...verdict,
    failure: { ...failure, error_message: `${stepWords(step)}: ${failure.error_message}` },
  }
}
