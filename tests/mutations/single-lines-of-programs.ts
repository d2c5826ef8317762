import { type Mistake, of } from "./mistake.ts"

/** Mistakes at single lines of the commands, the client and the runner that no test had noticed. */
export const LINES_OF_PROGRAMS: readonly Mistake[] = [
  ...of(
    "src/settings/proxy.ts",
    ["tests/settings/proxy.test.ts"],
    [["what bypasses a proxy is read in small letters alone", '["NO_PROXY", "no_proxy"]', '["no_proxy"]']],
  ),
  ...of(
    "src/client/client.ts",
    ["tests/client/sent-requests.test.ts"],
    [
      [
        "a worker that has lost its lease claims its item without it",
        "former ? { lease: former.token } : {}",
        "{}",
      ],
    ],
  ),
  ...of(
    "src/client/answer-shapes.ts",
    ["tests/client/answer-shapes.test.ts"],
    [["figures without the number of lost items pass", "  lost: isNumber,\n  shortest", "  shortest"]],
  ),
  ...of(
    "src/client/read-output.ts",
    ["tests/client/read-output.test.ts"],
    [
      [
        "the output of an older server is resumed at a place that is none",
        "begun === undefined ? undefined : Number(begun)",
        "Number(begun)",
      ],
    ],
  ),
  ...of(
    "src/commands/list-table.ts",
    ["tests/commands/list-table.test.ts"],
    [
      [
        "no terminal is wide enough for a band",
        '["band", "clock", "short"] as const',
        '["clock", "short"] as const',
      ],
    ],
  ),
  ...of(
    "src/runner/pipes.ts",
    ["tests/runner/command-process.test.ts"],
    [["an output that cannot be read keeps its command from ending", "      if (isEnded) return\n", ""]],
  ),
  ...of(
    "src/runner/server-errors.ts",
    ["tests/runner/server-errors.test.ts"],
    [["a server with another name is not waited for", "[401, 403, 421]", "[401, 403]"]],
  ),
  ...of(
    "src/doctor/machine.ts",
    ["tests/doctor/machine.test.ts"],
    [["units are not asked whether they are enabled", "SubState,UnitFileState", "SubState"]],
  ),
  ...of(
    "src/doctor/streams.ts",
    ["tests/doctor/other-programs.test.ts"],
    [["a stream that begins well is read until all patience is over", ", until: isLive })", " })"]],
  ),
  ...of(
    "src/runner/command-process.ts",
    ["tests/runner/command-process.test.ts"],
    [
      [
        "a command that is stopped has twenty seconds to end",
        "const GRACE_MS = 10_000",
        "const GRACE_MS = 20_000",
      ],
    ],
  ),
]
