#!/usr/bin/env bash
#
# Plays the render of a song video to a Track Studio server, and shows beside it what a viewer sees.

set -euo pipefail

usage() {
  cat <<'HELP'
scripts/demo-sse.sh [--pause SECONDS] [--song-id N]

Adds a song to the queue and reports the steps of its render, as a worker would. Lines with
"worker" tell what is sent, lines with "viewer" what somebody who watches the item receives.
Run scripts/test-sse.sh in a second terminal to watch along.

  --pause SECONDS  between two reports; default 1, which makes about 20 s; 0 does not wait
  --song-id N      the song; default 1
  --help           this text

TRACK_STUDIO_SERVER names the server; the default is http://localhost:8080.
Exit code: 0 done, 1 failed, 2 wrong usage.
HELP
}

fail() {
  printf 'demo-sse: %s\n' "$2" >&2
  exit "$1"
}

pause=1
song_id=1
while (($# > 0)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --pause | --song-id)
      (($# > 1)) || fail 2 "$1 lacks its value"
      if [[ $1 == --pause ]]; then pause=$2; else song_id=$2; fi
      shift
      ;;
    *) fail 2 "there is no option $1; see --help" ;;
  esac
  shift
done
[[ $pause =~ ^[0-9]{1,4}(\.[0-9]{1,3})?$ ]] || fail 2 "--pause must be seconds, such as 1 or 0.2, not \"$pause\""
[[ $song_id =~ ^[1-9][0-9]{0,14}$ ]] || fail 2 "--song-id must be a whole number from 1, not \"$song_id\""

server=${TRACK_STUDIO_SERVER:-http://localhost:8080}
server=${server%/}
api=$server/api/v1

# Progress, step and message of each report; none of the texts needs escaping in JSON.
reports=(
  "5|Analyzing audio|Reading the song"
  "12|Analyzing audio|Finding the beat"
  "20|Analyzing audio|118 BPM, 3:32 long"
  "22|Processing lyrics|Splitting into lines"
  "26|Processing lyrics|Timing the lines"
  "30|Processing lyrics|32 lines timed"
  "35|Generating background images|Creating image 1 of 5"
  "40|Generating background images|Creating image 2 of 5"
  "45|Generating background images|Creating image 3 of 5"
  "50|Generating background images|Creating image 4 of 5"
  "54|Generating background images|Creating image 5 of 5"
  "58|Rendering video|Placing images on the timeline"
  "66|Rendering video|Drawing the spectrum"
  "75|Rendering video|Encoding final video"
  "83|Rendering video|Encoding final video"
  "91|Rendering video|Encoding final video"
  "97|Finishing|Checking the file"
)

answer=""
# Sends JSON and keeps the answer; fails with the server's own words.
send() { # METHOD PATH BODY
  answer=$(curl --silent --fail-with-body --connect-timeout 5 --max-time 10 --request "$1" \
    --header "Content-Type: application/json" --data-raw "$3" "$api$2") && return
  local code=$?
  ((code == 22)) || fail 1 "no server answers at $server; start one with \"dist/track-studio serve\", or name another in TRACK_STUDIO_SERVER"
  fail 1 "$1 $2 was refused: $answer"
}

item=""
finished=""
folder=$(mktemp -d)
viewer=""
# shellcheck disable=SC2317,SC2329 # The traps call it.
clean_up() {
  [[ -z $viewer ]] || kill "$viewer" 2>/dev/null || true
  rm -rf "$folder"
  # An item that nobody works on any more must not look as if somebody did.
  [[ -z $item || -n $finished ]] || curl --silent --output /dev/null --max-time 2 --request PUT \
    --header "Content-Type: application/json" \
    --data-raw '{"status":"failed","message":"Processing failed","error_message":"The demo was interrupted"}' "$api/queue/$item" || true
}
trap clean_up EXIT
trap 'echo; exit 130' INT
trap 'exit 143' TERM

worker() { printf 'worker  %4s  %s\n' "$1" "$2"; }

send POST /queue "{\"song_id\":$song_id,\"title\":\"Demo song\"}"
[[ $answer =~ \"id\":([0-9]+) ]] || fail 1 "$server does not answer as a Track Studio server: ${answer:0:200}"
item=${BASH_REMATCH[1]}
printf 'Queue item %s at %s\n' "$item" "$server"

mkfifo "$folder/stream" "$folder/never"
# Nobody writes to it: to read from it with a time limit is to sleep, and a signal ends that at once.
exec 4<>"$folder/never"
curl --silent --no-buffer --connect-timeout 5 \
  "$api/progress/stream/$item?format=text&until=finished" >"$folder/stream" &
viewer=$!
exec 3<"$folder/stream"

# Prints what the viewer receives, until the stream is live or, with no argument, until it ends.
view() { # [live]
  local line
  while IFS= read -r line <&3; do
    printf 'viewer        %s\n' "$line"
    [[ ${1:-} != live || $line != "# live"* ]] || return 0
  done
}
# The viewer is to see the first report too, so work begins when it watches.
view live
view &
printer=$!

status=',"status":"processing"'
for report in "${reports[@]}"; do
  IFS="|" read -r progress step message <<<"$report"
  worker "$progress%" "$step - $message"
  send PUT "/queue/$item" \
    "{\"progress\":$progress,\"current_step\":\"$step\",\"message\":\"$message\"$status}"
  status=""
  read -r -t "$pause" -u 4 || true
done
worker "100%" "Processing completed successfully"
send PUT "/queue/$item" \
  '{"status":"completed","current_step":"Done","message":"Processing completed successfully"}'
finished=yes

# The stream ends by itself after the last update.
wait "$printer"
wait "$viewer" || true
viewer=""
