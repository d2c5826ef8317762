#!/usr/bin/env bash
#
# A render worker in bash and curl alone.

set -uo pipefail
# Each background job is a process group of its own, and can be stopped with all that it started.
set -m

usage() {
  cat <<'HELP'
examples/worker.sh COMMAND [ARGUMENT...]

Takes items from the queue, one after the other, and runs COMMAND for each, which finds the item in
TRACK_STUDIO_ITEM_ID and TRACK_STUDIO_SONG_ID. Percentages that it prints are its progress. Exit
code 0 completes the item, any other fails it. A cancelled item's command is stopped, and so is what a
failed command has left running.

TRACK_STUDIO_SERVER names the server; the default is http://localhost:8080. TRACK_STUDIO_TOKEN is
a token of the role worker, if the server wants one; COMMAND does not get it. WORKER_NAME is the
worker's name that viewers see. SIGTERM finishes the current item, and so does draining the worker.
HELP
}

if (($# == 0)) || [[ $1 == --help ]]; then
  usage
  exit $(($# == 0 ? 2 : 0))
fi
queue=${TRACK_STUDIO_SERVER:-http://localhost:8080}
queue=${queue%/}/api/v1/queue
name=${WORKER_NAME:-${HOSTNAME:-worker}}
name=${name//[^A-Za-z0-9._-]/_}
access=${TRACK_STUDIO_TOKEN:-}
unset TRACK_STUDIO_TOKEN

say() { printf 'worker.sh: %s\n' "$*" >&2; }

# Our access token as a header, for a file that curl reads: others can see the arguments of a process.
authorization() { [[ -z $access ]] || printf 'Authorization: Bearer %s\n' "$access"; }

# post PATH [JSON]: prints the answer, and its HTTP status on a line of its own; the lease is "$token".
post() {
  curl -sS --max-time "${patience:-40}" -X POST "$queue/$1" -H 'Content-Type: application/json' -H "Lease: ${token:-}" \
    -H @<(authorization) -d "${2:-{\}}" -w '\n%{http_code}\n'
}

# Posts until the server has answered, for a minute at most: it may just be restarting, or our token be exchanged.
post_surely() {
  local answer tries
  for ((tries = 0; tries < 60; tries++)); do
    answer=$(post "$@" 2>/dev/null) && [[ ${answer##*$'\n'} != @(5*|429|401|403) ]] && return
    nap 1
  done
  say "the server does not answer: $1 is lost"
}

# Sleeps without a process, to which a terminal would send Ctrl-C instead of us.
nap() { IFS= read -r -t "$1" <&"$silence"; }

# Says that we live, and hears of a cancel the moment it is requested. Ends with 1 when the work is to stop, and
# when the worker was killed.
heartbeat() {
  local answer
  while kill -0 "$$" 2>/dev/null; do
    if answer=$(post "$id/heartbeat?wait=20" 2>/dev/null); then
      [[ $answer == '{"directive":"cancel"'* || $answer == *'"directive":"cancel"}'$'\n4'?? ]] && return 1
    else
      nap 1
    fi
  done
  return 1
}

# stop PID: the whole group, in 10 s by force.
stop() {
  local tries
  kill -TERM -- "-$1" 2>/dev/null
  for ((tries = 0; tries < 100; tries++)); do
    kill -0 -- "-$1" 2>/dev/null || return
    nap 0.1
  done
  kill -KILL -- "-$1" 2>/dev/null
}

# Reports the percentages that it reads: the latest, when the last report has got its answer.
report() {
  local latest="" next began answer told="" ended="" patience=3
  while [[ -z $ended ]]; do
    # The end of the output is 1, a second without a line more than 128: a report without an answer is sent again then.
    read -r -t 1 next || (($? > 128)) || ended=1
    latest=${next:-$latest}
    # A command that never stops printing is reported, too.
    began=$SECONDS
    while ((SECONDS - began < 2)) && read -r -t 0.01 next; do latest=$next; done
    [[ $latest != "$told" ]] || continue
    answer=$(post "$id/progress" "{\"progress\": $latest}" 2>/dev/null)
    [[ ${answer##*$'\n'} == [1-4]* ]] && told=$latest
  done
}

# Passes the command's output on, and the percentages in it to `report`, which must not hold the command up.
read_progress() {
  local line percentages
  # Ctrl-C, and a TERM to our whole group, must not end us before the command.
  trap '' TERM INT HUP
  exec {percentages}> >(report)
  while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line =~ (^|[^0-9.])([0-9]|[1-9][0-9]|100)(\.[0-9]+)?[[:space:]]?% ]] || continue
    printf '%s\n' "${BASH_REMATCH[2]}" >&"$percentages"
  done
  exec {percentages}>&-
  wait "$!"
}

# render COMMAND...: one item, from its start to its end.
render() {
  local output reader job beat code signals
  export TRACK_STUDIO_ITEM_ID=$id TRACK_STUDIO_SONG_ID=$song
  exec {output}> >(read_progress)
  reader=$!
  # ffmpeg takes what it reads there for keys, and a "q" ends it.
  "$@" </dev/null >&"$output" 2>&1 {output}>&- &
  job=$!
  exec {output}>&-
  { heartbeat || stop "$job"; } &
  beat=$!
  # Not `wait`, while it runs: if a signal comes as it ends, bash may lose that it has ended, and wait for ever.
  while kill -0 "$job" 2>/dev/null; do nap 0.1; done
  # A signal to us ends the wait, and bash keeps the job's code for the next one.
  while true; do
    signals=$stopping
    wait "$job"
    code=$?
    [[ $signals != "$stopping" ]] || break
  done
  # The next attempt must not write beside what this one has left running, which may hold the output as well.
  ((code == 0)) || stop "$job"
  wait "$reader" 2>/dev/null
  # Not TERM: a job that has only just begun would still take that as we do, and live on.
  kill -KILL -- "-$beat" 2>/dev/null
  wait "$beat" 2>/dev/null
  if ((code == 0)); then
    post_surely "$id/complete"
  else
    # If the item was cancelled meanwhile, the server records that instead of the failure.
    post_surely "$id/fail" "{\"error_message\": \"the command ended with code $code\"}"
  fi
  say "item $id ended with code $code"
}

# Claims an item, waiting for one; sets id, song and token. A signal ends the wait. If the answer is lost, the next claim
# has the same key, and gets the same item.
claim() {
  local answers asking answer="" part code
  token=""
  : "${key:=$(date +%s)-$$-$RANDOM$RANDOM$RANDOM}"
  exec {answers}< <(exec curl -sS --max-time 40 -X POST "$queue/claim" -H 'Content-Type: application/json' \
    -H @<(authorization) -H "Idempotency-Key: $key" -d "{\"worker\": \"$name\", \"wait\": 25}" -D - 2>/dev/null)
  asking=$!
  # In turns of a second: a signal may come just before we begin to read, and would not wake us.
  while IFS= read -r -d '' -t 1 part <&"$answers"; (($? > 128)); do
    answer+=$part
    # By force: a curl that has only just begun would still take TERM as we do, and live on.
    [[ -z $stopping ]] || kill -KILL "$asking" 2>/dev/null
  done
  answer+=$part
  wait "$asking"
  code=$?
  exec {answers}<&-
  # What was answered counts, also when a signal ended the wait in the same moment: the item is ours.
  if [[ $answer =~ $'\n'\{\"item\":\{\"id\":([0-9]+),\"song_id\":([0-9]+), ]]; then
    id=${BASH_REMATCH[1]} song=${BASH_REMATCH[2]}
    [[ $answer =~ \"lease\":\{\"token\":\"([0-9a-f-]+)\"[^{}]*\}\}$ ]] && token=${BASH_REMATCH[1]} && key="" && return
  fi
  ((code == 0)) || return 2
  [[ $answer =~ (^|$'\n')HTTP/[0-9.]+\ 204 ]] || { say "the server refused a claim: ${answer##*$'\n'}" && return 2; }
  [[ ${answer,,} != *$'\n'drain:\ true$'\r'* ]] || { stopping+=. && say "drained: stopping"; }
  key=""
  return 1
}

# Nothing ever comes from this socket.
exec {silence}<>/dev/udp/127.0.0.1/9
# One character for each signal.
stopping=""
key=""
trap 'stopping+=.' TERM INT HUP

say "taking items from $queue as $name"
while [[ -z $stopping ]]; do
  claim
  case $? in
    0) render "$@" ;;
    # No answer, or a refusal.
    2) [[ -n $stopping ]] || nap 1 ;;
  esac
done
