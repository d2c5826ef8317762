#!/usr/bin/env bash
#
# Follows the live progress of a Track Studio server, byte for byte as it comes.

set -euo pipefail

usage() {
  cat <<'HELP'
scripts/test-sse.sh [--format sse|ndjson|text] [ID]

Follows the progress stream until Ctrl-C: of all queue items, or of the one with this ID.

  --format F  sse, as browsers get it (the default); ndjson, one JSON object a line; or
              text, one line an update for people, safe for any terminal
  --help      this text

TRACK_STUDIO_SERVER names the server; the default is http://localhost:8080.
What is said about the connection goes to standard error, the stream alone to standard output.
Exit code: 0 ended by Ctrl-C or by the server, 1 no connection, 2 wrong usage.
HELP
}

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "test-sse: $2"
  exit "$1"
}

format=sse
id=""
while (($# > 0)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --format)
      (($# > 1)) || fail 2 "--format lacks its value: sse, ndjson or text"
      format=$2
      shift
      ;;
    -*) fail 2 "there is no option $1; see --help" ;;
    *)
      [[ -z $id ]] || fail 2 "\"$1\" is one argument too many; see --help"
      id=$1
      [[ $id =~ ^[1-9][0-9]{0,15}$ ]] || fail 2 "\"$id\" is no item ID; an ID is a whole number from 1"
      ;;
  esac
  shift
done

case $format in
  sse) accept=text/event-stream ;;
  ndjson) accept=application/x-ndjson ;;
  text) accept=text/plain ;;
  *) fail 2 "\"$format\" is no format; there are sse, ndjson and text" ;;
esac

server=${TRACK_STUDIO_SERVER:-http://localhost:8080}
server=${server%/}
url=$server/api/v1/progress/stream${id:+/$id}

curl_pid=""
# shellcheck disable=SC2317,SC2329 # The traps call it.
stop() {
  [[ -z $curl_pid ]] || kill "$curl_pid" 2>/dev/null || true
  say ""
  say "Stopped."
  exit 0
}
trap stop INT TERM

what="all queue items"
[[ -z $id ]] || what="queue item $id"
say "Following $what at $url (Ctrl-C ends)"

# In the background, because bash runs a trap only after the command in the foreground has ended.
curl --silent --no-buffer --fail-with-body --connect-timeout 5 --header "Accept: $accept" "$url" &
curl_pid=$!
code=0
wait "$curl_pid" || code=$?

case $code in
  0) say "The server ended the stream." ;;
  6 | 7 | 28)
    fail 1 "no server answers at $server; start one with \"dist/track-studio serve\", or name another in TRACK_STUDIO_SERVER"
    ;;
  22)
    # What the server said stands on standard output, without a line break.
    echo
    fail 1 "the server refused this stream; its answer is above"
    ;;
  *) fail 1 "the connection to $server broke (curl ended with $code)" ;;
esac
