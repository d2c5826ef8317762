import { ACCESS } from "./access.ts"
import { ANSWERS } from "./answers.ts"
import { BUS } from "./bus.ts"
import { CLAIMS } from "./claims.ts"
import { CLIENT } from "./client.ts"
import { COMMANDS } from "./commands.ts"
import { COMMON } from "./common.ts"
import { CORE } from "./core.ts"
import { DASHBOARD } from "./dashboard.ts"
import { DOCTOR } from "./doctor.ts"
import { ESTIMATE } from "./estimate.ts"
import { FLEET } from "./fleet.ts"
import { HTTP } from "./http.ts"
import { ITEM } from "./item.ts"
import { LATE_AND_LEFT } from "./late-and-left.ts"
import { LEASE } from "./lease.ts"
import { MISSED } from "./missed.ts"
import type { Mistake } from "./mistake.ts"
import { NOTICED_LATE_IN_CORE } from "./noticed-late-in-core.ts"
import { NOTICED_LATE } from "./noticed-late.ts"
import { NOTICES } from "./notices.ts"
import { PAGE } from "./page.ts"
import { PARTS } from "./parts.ts"
import { PICKED_BY_CHANCE } from "./picked-by-chance.ts"
import { POSTGRES } from "./postgres.ts"
import { QUEUE } from "./queue.ts"
import { RENDERERS } from "./renderers.ts"
import { REPORTING } from "./reporting.ts"
import { RUNNER } from "./runner.ts"
import { SERVING } from "./serving.ts"
import { LINES_OF_GROUPS } from "./single-lines-of-groups.ts"
import { LINES_OF_PROGRAMS } from "./single-lines-of-programs.ts"
import { SINGLE_LINES } from "./single-lines.ts"
import { SQLITE_FILE } from "./sqlite-file.ts"
import { SQLITE } from "./sqlite.ts"
import { STORE } from "./store.ts"
import { STORING } from "./storing.ts"
import { STREAM } from "./stream.ts"
import { TERMINAL } from "./terminal.ts"
import { UPKEEP } from "./upkeep.ts"
import { VIEWERS } from "./viewers.ts"
import { WEBHOOKS } from "./webhooks.ts"
import { WORKERS } from "./workers.ts"
import { WORKING } from "./working.ts"

/**
 * Each mistake must be noticed by its tests. Most of them were written from the source alone, before looking
 * at the tests. For those that no test noticed, tests were written.
 */
export const MISTAKES: readonly Mistake[] = [
  ...CORE,
  ...MISSED,
  ...PICKED_BY_CHANCE,
  ...NOTICED_LATE,
  ...NOTICED_LATE_IN_CORE,
  ...STREAM,
  ...COMMON,
  ...LATE_AND_LEFT,
  ...VIEWERS,
  ...QUEUE,
  ...WORKERS,
  ...ITEM,
  ...ESTIMATE,
  ...LEASE,
  ...STORE,
  ...SQLITE,
  ...SQLITE_FILE,
  ...POSTGRES,
  ...FLEET,
  ...ACCESS,
  ...HTTP,
  ...ANSWERS,
  ...RUNNER,
  ...REPORTING,
  ...CLIENT,
  ...DASHBOARD,
  ...RENDERERS,
  ...SERVING,
  ...UPKEEP,
  ...WEBHOOKS,
  ...BUS,
  ...WORKING,
  ...TERMINAL,
  ...PAGE,
  ...PARTS,
  ...NOTICES,
  ...COMMANDS,
  ...DOCTOR,
  ...CLAIMS,
  ...STORING,
  ...SINGLE_LINES,
  ...LINES_OF_GROUPS,
  ...LINES_OF_PROGRAMS,
]
