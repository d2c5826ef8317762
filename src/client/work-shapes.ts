import type { Claimed, OutputStored, StepAnswer, WorkerAnswer } from "../wire/answers.ts"
import type { Kinds, RunsForgotten } from "../wire/forecast.ts"
import type { StreamSeen } from "../wire/health-and-stats.ts"
import {
  type Check,
  isItem,
  isNumber,
  isStep,
  isText,
  isTime,
  listOf,
  objectOf,
  orNull,
} from "./answer-shapes.ts"

/** The form of a lease token: what a header can carry and servers accept. */
export const LEASE_TOKEN = /^[\x21-\x7e]{1,128}$/

const isLeaseToken = (value: unknown): value is string => isText(value) && LEASE_TOKEN.test(value)

const isClaimed = objectOf<Claimed>({
  item: isItem,
  lease: objectOf<Claimed["lease"]>({ token: isLeaseToken, expires_at: isTime, renew_every: isNumber }),
})

/** The answers of the routes that workers and administrators use, and pages do not. */
export const WORK_SHAPES = {
  claim: orNull(isClaimed),
  claimed: isClaimed,
  work: objectOf<WorkerAnswer>({ directive: isText, item: isItem }),
  printed: objectOf<OutputStored>({ attempt: isNumber, end: isNumber }),
  step: objectOf<StepAnswer>({ directive: isText, item: isItem, step: orNull(isStep) }),
  openStreams: objectOf<{ open_streams: StreamSeen[] }>({
    open_streams: listOf(
      objectOf<StreamSeen>({
        kind: isText,
        queue_id: orNull(isNumber),
        format: isText,
        client: isText,
        since: isTime,
        last_event_id: isNumber,
        lag: isNumber,
      }),
    ),
  }),
  kinds: objectOf<Kinds>({
    kinds: listOf(
      objectOf<Kinds["kinds"][number]>({
        kind: isText,
        look: isText,
        runs: isNumber,
        seconds: isNumber,
        ended_at: isTime,
      }),
    ),
  }),
  forgotten: objectOf<RunsForgotten>({ runs: isNumber }),
} satisfies Readonly<Record<string, Check<unknown>>>
