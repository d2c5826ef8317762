import { type Mistake, of } from "./mistake.ts"

/** Mistakes in what the doctor says of a server, a proxy and a machine. */
export const DOCTOR: readonly Mistake[] = [
  ...of(
    "src/doctor/requests.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "a clock that is behind is said to be ahead",
        'offMs > 0 ? "ahead of" : "behind"',
        'offMs < 0 ? "ahead of" : "behind"',
      ],
      [
        "a query that is lost on its way is not noticed",
        'if (answer.status === 200)\n    return faulty(\n      "queries"',
        'if (answer.status === 201)\n    return faulty(\n      "queries"',
      ],
      [
        "a clock that is not shown agrees",
        "if (Number.isNaN(serverMs)) return unknown",
        "if (serverMs === 0) return unknown",
      ],
    ],
  ),
  ...of(
    "src/doctor/streams.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "a limit of the proxy is taken for another server",
        'const fault = isLimit(answer) ? "limited" : "not_ours"',
        'const fault = "not_ours"',
      ],
      [
        "a keepalive that is not due is lost",
        "lastMs - headMs <= LATEST_KEEPALIVE_MS",
        "lastMs <= LATEST_KEEPALIVE_MS",
      ],
      [
        "a stream that ended because the server was stopped was cut",
        "if (SHUTDOWN.test(text)) return unknown(about",
        'if (SHUTDOWN.test("")) return unknown(about',
      ],
    ],
  ),
  ...of(
    "src/doctor/send-request.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "an error of another program is a refusal of the server",
        'typeof error === "string" && typeof code === "string"',
        'typeof error === "string"',
      ],
    ],
  ),
  ...of(
    "src/doctor/whole-bodies.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      ["a body that is lost arrives", 'code === "malformed_json"', 'code === "malformed"'],
      [
        "a proxy that waits in vain is a limit",
        "(answer.headMs ?? mostMs) < AT_ONCE_MS",
        "answer.status === 503",
      ],
    ],
  ),
  ...of(
    "src/doctor/uploads.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "a pause that is cut with 408 was answered by another program",
        "const TIMEOUT = 408",
        "const TIMEOUT = 409",
      ],
      ["a limit on bodies is no fault", "if (answer.status === 413)", "if (answer.status === 414)"],
      [
        "a body that is not answered was answered by another program",
        "if (status !== 0) return faulty(about",
        "if (status >= 0) return faulty(about",
      ],
    ],
  ),
  ...of(
    "src/doctor/held-answers.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "an answer of a server that is about to stop was cut",
        '  if (item["id"] === id)\n    return unknown',
        '  if (item["id"] === "")\n    return unknown',
      ],
    ],
  ),
  ...of(
    "src/doctor/disk.ts",
    ["tests/doctor/machine.test.ts"],
    [
      [
        "a mount that is hidden by another one is named",
        "mount.point.length >= (best?.point.length ?? 0)",
        "mount.point.length > (best?.point.length ?? 0)",
      ],
      [
        "a folder whose name only begins like a mount is on it",
        "path.startsWith(`${point}/`)",
        "path.startsWith(point)",
      ],
    ],
  ),
  ...of(
    "src/doctor/machine.ts",
    ["tests/doctor/machine.test.ts"],
    [
      [
        "a program that may not be run is said to be missing",
        'if (failure.code === "ENOENT") return note',
        'if (failure.code === "ENOENT" || failure.code === "EACCES") return note',
      ],
      [
        "a unit that is enabled and does not run is not in use",
        'stateOf("ActiveState") === "inactive" && stateOf("UnitFileState") === "disabled"',
        'stateOf("ActiveState") === "inactive"',
      ],
    ],
  ),
  ...of(
    "src/doctor/requests.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "a slow answer makes a clock wrong",
        "serverMs - sentMs - tookMs / 2",
        "serverMs - sentMs - tookMs * 2",
      ],
    ],
  ),
  ...of(
    "src/doctor/doctor.ts",
    ["tests/doctor/secure.test.ts"],
    [
      [
        "a certificate that ends soon hides all other faults",
        'certificate.verdict === "fault" && certificate.fault !== "certificate_ends"',
        'certificate.verdict === "fault"',
      ],
    ],
  ),
  ...of(
    "src/doctor/caches.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "a cache that gives answers to strangers is not noticed",
        "strange !== undefined &&",
        "strange === undefined &&",
      ],
      ["a server that everybody may read has a cache", 'code === "unauthorized"', 'code !== "unauthorized"'],
      [
        "a refusal that was kept is not noticed",
        'said["timestamp"] ?? said["request_id"]',
        'said["timestamp"]',
      ],
      ["a server that is busy for a moment has a cache", 'code === "unauthorized"', 'code !== ""'],
      ["what a browser asks for again is kept", "no-store|no-cache|max-age=0", "no-store"],
      ["the answers to one item are not looked at", ", await itemPath(patient)]", "]"],
    ],
  ),
  ...of(
    "src/doctor/requests.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "a refusal that answers another request is the server's",
        "(STATUSES.get(code) ?? answer.status) === answer.status",
        "(STATUSES.get(code) ?? answer.status) > 0",
      ],
    ],
  ),
  ...of(
    "src/doctor/uploads.ts",
    ["tests/doctor/clock-of-server.test.ts"],
    [
      [
        "a body that another program answers has reached the server",
        "if (isOurs(answer)) return good(about",
        "if (answer.status !== 0) return good(about",
      ],
      [
        "a body of which the server shows nothing arrives",
        "during >= before + WITNESSES",
        "during >= before",
      ],
      [
        "a limit on one of two bodies is a limit on none",
        "if (limited && [endless, large].some(isOurs))",
        "if (limited && [endless, large].every(isOurs))",
      ],
    ],
  ),
  ...of(
    "src/doctor/send-request.ts",
    ["tests/doctor/other-programs.test.ts"],
    [
      [
        "a refusal of the server's own limit is one of a proxy",
        'isBusy(answer) && refusalIn(answer).code === ""',
        "isBusy(answer)",
      ],
      [
        "a request that may take less is read for longer",
        "request.mostMs ?? patient.patienceMs",
        "patient.patienceMs",
      ],
    ],
  ),
  ...of(
    "src/doctor/websockets.ts",
    ["tests/doctor/other-programs.test.ts"],
    [
      [
        "a WebSocket that a limit refuses is not upgraded",
        'if (isLimit(answer)) return faulty(about, "limited", says)\n',
        "",
      ],
      [
        "a WebSocket that is refused is waited for",
        "socket.onclose = () => end()",
        "socket.onclose = () => undefined",
      ],
    ],
  ),
  ...of(
    "src/doctor/streams.ts",
    ["tests/doctor/other-programs.test.ts"],
    [
      ["a busy server holds its streams back", "if (busy !== undefined)", 'if (busy === "")'],
      [
        "a page is a stream that is not resumed",
        'if (!isLive(text)) return unknown("resuming"',
        'if (isLive("")) return unknown("resuming"',
      ],
    ],
  ),
  ...of(
    "src/doctor/page.ts",
    ["tests/doctor/other-programs.test.ts"],
    [
      [
        "a page in place of a script is the script",
        'status === 200 && !type.startsWith("text/html")',
        "status === 200",
      ],
      ["a limit breaks the page", "if (isBusy(answer)) return unknown", "if (status === 1) return unknown"],
    ],
  ),
  ...of(
    "src/doctor/held-answers.ts",
    ["tests/doctor/other-programs.test.ts"],
    [
      [
        "a finished item is waited for",
        "item === undefined || item.completed_at !== null",
        "item === undefined",
      ],
    ],
  ),
  ...of(
    "src/doctor/requests.ts",
    ["tests/doctor/other-programs.test.ts"],
    [
      [
        "a server that refuses every change knows strangers",
        'code === "forbidden" && error !== otherwise',
        'code === "forbidden"',
      ],
      [
        "a token that does not arrive is refused",
        'error === "" || error.includes("needs a token")',
        'error === ""',
      ],
    ],
  ),
  ...of(
    "src/doctor/uploads.ts",
    ["tests/doctor/other-programs.test.ts"],
    [
      [
        "a stream that ended with its server shows a limit on pauses",
        "if (SHUTDOWN.test(streaming.text)) return unknown",
        'if (SHUTDOWN.test("")) return unknown',
      ],
      [
        "a limit on requests is another program",
        "if (isLimit(answer)) return unknown(about, answerWords(answer))\n",
        "",
      ],
    ],
  ),
  ...of(
    "src/doctor/answering-server.ts",
    ["tests/doctor/other-programs.test.ts"],
    [["a proxy that names itself only in Via is none", " || headers.via !== undefined", ""]],
  ),
]
