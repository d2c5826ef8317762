#!/bin/sh
# Installs or upgrades Track Studio on this machine, or takes it away. It asks nothing, and may be run again at any time.
#
#   packaging/install.sh [BINARY]            default: the binary beside this folder, or dist/track-studio
#   packaging/install.sh --uninstall         keeps settings, queue and videos
#   packaging/install.sh --uninstall --purge keeps only the videos
#
# Variables:
#   PREFIX   where the program goes; default: as at the last time, and /usr/local at first
#   VIDEOS   folders, separated by spaces, into which workers may write beside their own; made if they are not there;
#            default: as at the last time
#   DESTDIR  a folder that stands for the root, for packagers: nothing is started, and no user is made
set -eu
# What is installed is for all users, even if others may not read what this one makes.
umask 022

DESTDIR=${DESTDIR:-}
here=$(cd "$(dirname "$0")" && pwd)
units=/etc/systemd/system
# The PREFIX of the last time, from the unit of the server; empty if there is none.
last=$(sed -n 's|^ExecStart=\(/.*\)/bin/track-studio serve$|\1|p' "$DESTDIR$units/track-studio.service" 2>/dev/null || true)
PREFIX=${PREFIX:-${last:-/usr/local}}
program=$PREFIX/bin/track-studio
former=${last:-$PREFIX}/bin/track-studio
settings=/etc/track-studio
state=/var/lib/track-studio
dropin=$units/track-studio-worker.service.d/videos.conf

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
misused() { printf 'install.sh: %s (more: %s --help)\n' "$*" "$0" >&2; exit 2; }

# plain NAME PATH: a unit can only name whole paths, without blanks and the signs that systemd reads as its own.
plain() {
  case $2 in
    *[[:space:]\"\'\\%\|\&\*\?\[\$\;]*) misused "$1 must not have blanks, quotes or any of \\ % | & * ? [ \$ ; in it: $2" ;;
    /*) ;;
    *) misused "$1 must be whole paths, not $2" ;;
  esac
}

# Whether systemd runs here, and is ours to command.
rules() { [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; }

# Whether anything was done, and whether what runs is not what is installed.
touched=0 stale=0

# allow PATH MODE: gives a file its rights, unless it has them.
allow() {
  [ "$(stat -Lc %a "$DESTDIR$1")" != "$2" ] || return 0
  chmod "$2" "$DESTDIR$1"
  say "corrected the rights of $1"
  touched=1
}

# put FROM TO MODE: installs a file unless it is there as it is. It goes into its place at once, so that a program that
# runs is not disturbed.
put() {
  if cmp -s "$1" "$DESTDIR$2"; then allow "$2" "$3"; return 0; fi
  mkdir -p "$DESTDIR$(dirname "$2")"
  cp "$1" "$DESTDIR$2.new"
  chmod "$3" "$DESTDIR$2.new"
  mv -f "$DESTDIR$2.new" "$DESTDIR$2"
  say "installed $2"
  touched=1 stale=1
}

# The number of our user, from the passwd file of the root that we install into; empty if there is none.
owner() { sed -n 's/^track-studio:[^:]*:\([0-9]*\):\([0-9]*\):.*/\1:\2/p' "$DESTDIR/etc/passwd" 2>/dev/null || true; }

make_user() {
  put "$here/sysusers.conf" /usr/lib/sysusers.d/track-studio.conf 644
  # Of a package, systemd-sysusers makes the user where it is installed: it must not bring lists of users along.
  if [ -n "$DESTDIR$(owner)" ]; then return 0; fi
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers track-studio.conf >/dev/null 2>&1 || fail "systemd-sysusers could not make the user track-studio"
    touched=1
    say "made the user track-studio"
  else
    useradd --system --user-group --home-dir "$state" --shell /usr/sbin/nologin track-studio
    touched=1
    say "made the user track-studio"
  fi
}

# folder PATH MODE OWNER: OWNER is empty for the user that installs. The folder gets its name last: if this is cut off, the
# next time does not take it for one that is as it should be.
folder() {
  [ ! -d "$DESTDIR$1" ] || return 0
  mkdir -p "$DESTDIR$1.new"
  chmod "$2" "$DESTDIR$1.new"
  [ -z "$3" ] || [ "$(id -u)" != 0 ] || chown "$3" "$DESTDIR$1.new"
  mv "$DESTDIR$1.new" "$DESTDIR$1"
  say "made $1"
  touched=1
}

install_videos() {
  [ -n "${VIDEOS:-}" ] || return 0
  {
    echo '# The folders that VIDEOS named when install.sh ran: workers may write there.'
    echo '[Service]'
    for each in $VIDEOS; do echo "ReadWritePaths=-$each"; done
  } >"$scratch/videos.conf"
  for each in $VIDEOS; do
    folder "$each" 0775 "$(owner)"
    [ -z "$DESTDIR" ] || [ -n "$(owner)" ] || say "where the package is installed, give $each to the user track-studio"
    # The rights of a folder that was there before are not ours to change.
    [ -n "$DESTDIR" ] || su -s /bin/sh track-studio -c "test -w $each" 2>/dev/null ||
      say "the user track-studio may not write to $each yet: change its owner, or its rights"
  done
  put "$scratch/videos.conf" "$dropin" 644
}

# What the settings of the server say; the last line counts, as systemd reads them.
setting() {
  sed -n "s/^$1=//p" "$DESTDIR$settings/server.env" 2>/dev/null | tail -n 1 | sed "s/^[\"']//; s/[\"']\$//"
}

# Where the queue is.
database() {
  named=$(setting TRACK_STUDIO_DATABASE)
  file=$(setting TRACK_STUDIO_DATABASE_FILE)
  [ -z "$file" ] || [ ! -r "$DESTDIR$file" ] || named=$(cat "$DESTDIR$file")
  case ${named:=$state/track-studio.db} in
    /* | *://*) say "$named" ;;
    *) say "$state/$named" ;;
  esac
}

# The flag that names the queue; none for the address of another database, which holds its password.
flag() { case $(database) in *://*) ;; *) printf ' --database %s' "$(database)" ;; esac; }

# A copy of the queue as the former program knows it, for the way back. It is named by the time.
keep_queue() {
  old=$DESTDIR$former
  queue=$(database)
  case $queue in
    *://*)
      [ ! -x "$old" ] || say "the queue is in another database: keep a copy of it by pg_dump, for the way back"
      return 0
      ;;
  esac
  [ -x "$old" ] && [ -f "$DESTDIR$queue" ] || return 0
  folder "$state/backups" 0750 "$(owner)"
  # Two upgrades within a second would have one name.
  while copy=$state/backups/before-upgrade-$(date -u +%Y%m%dT%H%M%SZ).db && [ -e "$DESTDIR$copy" ]; do sleep 0.2; done
  "$old" backup "$DESTDIR$copy" --database "$DESTDIR$queue" >/dev/null ||
    fail "the queue could not be copied to $copy; nothing was changed"
  # A program that is older than the queue could not start. It says so at once; a newer one would look at every item.
  refusal=$(timeout 10 "$binary" check "$DESTDIR$copy" 2>&1) || case $refusal in
    *"made by a newer version"*)
      rm -f "$DESTDIR$copy"
      fail "$binary is too old for the queue, which a newer version has brought up to date; nothing was changed (\"Going back\" in docs/installing.md is the way)"
      ;;
  esac
  [ -z "$(owner)" ] || [ "$(id -u)" != 0 ] || chown "$(owner)" "$DESTDIR$copy"
  say "copied the queue to $copy"
  # Three, as it may take some time until somebody notices that an upgrade did harm. Their names are in order of time.
  printf '%s\n' "$DESTDIR$state/backups"/before-upgrade-*.db | sort -r | tail -n +4 | while IFS= read -r copy; do
    remove "${copy#"$DESTDIR"}"
  done
}

# Replaces the program, if it is another one; the former one stays beside it, for the way back.
install_program() {
  if cmp -s "$binary" "$DESTDIR$program"; then allow "$program" 755; return 0; fi
  keep_queue
  fresh=$binary
  if [ -e "$DESTDIR$former" ]; then
    mkdir -p "$DESTDIR$PREFIX/bin"
    cp "$DESTDIR$former" "$DESTDIR$program.previous.new"
    # The former program may be what is put back.
    fresh=$scratch/program
    cp "$binary" "$fresh"
    mv -f "$DESTDIR$program.previous.new" "$DESTDIR$program.previous"
  fi
  put "$fresh" "$program" 755
}

install_completions() {
  # A packager may pack for another kind of machine.
  "$DESTDIR$program" completion bash >"$scratch/bash" 2>/dev/null || return 0
  "$DESTDIR$program" completion zsh >"$scratch/zsh"
  # Nothing that runs reads them.
  before=$stale
  put "$scratch/bash" "$PREFIX/share/bash-completion/completions/track-studio" 644
  put "$scratch/zsh" "$PREFIX/share/zsh/site-functions/_track-studio" 644
  stale=$before
}

install_units() {
  for unit in track-studio track-studio-worker; do
    sed "s|/usr/local/bin/track-studio|$program|" "$here/$unit.service" >"$scratch/$unit.service"
    put "$scratch/$unit.service" "$units/$unit.service" 644
  done
}

install_settings() {
  folder "$settings" 0755 ""
  cat >"$scratch/server.env" <<'END'
# Settings of the server: TRACK_STUDIO_ and the name of a flag of "track-studio serve --help".
#TRACK_STUDIO_HOST=0.0.0.0
#TRACK_STUDIO_TOKEN_FILE=/var/lib/track-studio/admin-token
#TRACK_STUDIO_BACKUP_DIR=/var/lib/track-studio/backups
END
  cat >"$scratch/worker.env" <<'END'
# Settings of the worker. It is started once RENDER_COMMAND is set and install.sh is run again.
#RENDER_COMMAND=/opt/render/render.sh
#WORK_OPTIONS=--concurrency 1
#TRACK_STUDIO_SERVER=http://127.0.0.1:8080
#TRACK_STUDIO_TOKEN=tsk_...
END
  for each in server worker; do
    file=$settings/$each.env
    [ -e "$DESTDIR$file" ] || put "$scratch/$each.env" "$file" 600
    # Its owner may let a group read it, and nobody else.
    case $(stat -Lc %a "$DESTDIR$file") in *0) ;; *) allow "$file" 600 ;; esac
  done
}

# remove PATH...: removes what is there, and says so.
remove() {
  for each in "$@"; do
    [ ! -e "$DESTDIR$each" ] || { rm -f "$DESTDIR$each" && say "removed $each" && touched=1; }
  done
}

# Removes what goes below a PREFIX.
remove_program() {
  remove "$1/bin/track-studio" "$1/bin/track-studio.previous" \
    "$1/share/bash-completion/completions/track-studio" "$1/share/zsh/site-functions/_track-studio"
}

# Whether the server is still the same one a little later: one that cannot run is started again and again.
lasts() {
  restarts=$(systemctl show -P NRestarts track-studio)
  sleep 2
  systemctl is-active --quiet track-studio && [ "$(systemctl show -P NRestarts track-studio)" = "$restarts" ]
}

# verb UNIT: what runs is restarted if it is not what is installed, perhaps because an installation was cut off, and
# started otherwise.
verb() {
  pid=$(systemctl show -P MainPID "$1")
  if [ "$stale" = 1 ] || { [ "${pid:-0}" != 0 ] && ! cmp -s "/proc/$pid/exe" "$program"; }; then say restart; else say start; fi
}

# launch UNIT [FLAG]: lets a unit run what is installed, now and after each boot; FLAG is one of systemctl.
launch() {
  how=$(verb "$1") is=off did=started
  # A restart also starts what does not run, at once even if systemd would wait until it tries again.
  if [ "$how" = restart ] && systemctl is-active --quiet "$1"; then did=restarted; fi
  if [ "$how" = start ] && systemctl is-active --quiet "$1" && systemctl is-enabled --quiet "$1"; then is=on; fi
  systemctl enable --quiet "$1" && systemctl ${2:-} "$how" "$1" || return 1
  [ "$is" = on ] || { say "$did $1" && touched=1; }
}

start() {
  if ! rules; then
    [ -n "$DESTDIR" ] || say "systemd does not run here; start it by: $program serve$(flag)"
    return 0
  fi
  # A unit that an installation put in its place before it was cut off is not what runs, either.
  if systemctl show -P NeedDaemonReload track-studio track-studio-worker | grep -q yes; then stale=1; fi
  systemctl daemon-reload
  launch track-studio || fail "the server did not start; journalctl -u track-studio says why"
  lasts || fail "the server starts, and ends again; journalctl -u track-studio says why"
  if grep -q '^RENDER_COMMAND=' "$settings/worker.env"; then
    # It finishes its render first, which may take an hour.
    launch track-studio-worker --no-block
  fi
  say "track-studio is $(systemctl is-active track-studio)"
}

install_all() {
  binary=${1:-}
  for each in "$here/../track-studio" "$here/../dist/track-studio"; do
    [ -n "$binary" ] || [ ! -f "$each" ] || binary=$each
  done
  # A name alone would be looked for among the programs of this machine.
  case $binary in */* | "") ;; *) binary=./$binary ;; esac
  [ -n "$binary" ] || fail "there is no binary beside this folder; name one, or make it: bun run build"
  [ -f "$binary" ] || fail "there is no file $binary"
  version=$("$binary" --version 2>/dev/null | head -n 1) || version=""
  case $version in
    "track-studio "*) ;;
    "")
      [ -n "$DESTDIR" ] || fail "$binary does not run here; is it for another kind of machine?"
      [ "$(head -c 4 "$binary" | tail -c 3)" = ELF ] || fail "$binary is not a program of Linux"
      ;;
    *) fail "$binary is another program: $version" ;;
  esac
  for each in ${VIDEOS:-}; do plain VIDEOS "$each"; done
  plain PREFIX "$PREFIX"
  make_user
  install_settings
  folder "$state" 0750 "$(owner)"
  stale=0
  install_program
  install_completions
  install_units
  [ "${last:-$PREFIX}" = "$PREFIX" ] || remove_program "$last"
  install_videos
  start
  [ "$touched" = 1 ] || say "nothing had to be changed"
  say "${version:-$binary} is installed; next: $program doctor$(flag)"
}

uninstall() {
  # The settings name it, and may be removed.
  queue=$(database)
  if rules; then systemctl disable --quiet --now track-studio track-studio-worker 2>/dev/null || true; fi
  remove_program "$PREFIX"
  [ "${last:-$PREFIX}" = "$PREFIX" ] || remove_program "$last"
  remove "$units/track-studio.service" "$units/track-studio-worker.service" /usr/lib/sysusers.d/track-studio.conf
  if rules; then systemctl daemon-reload; fi
  if [ "$purge" = 1 ]; then
    # Renders write videos beside what the worker keeps.
    for each in "$dropin" "$settings" "$state" "$state-worker/.state"; do
      [ ! -e "$DESTDIR$each" ] || { rm -rf "$DESTDIR$each" && say "removed $each" && touched=1; }
    done
    rmdir "$DESTDIR$(dirname "$dropin")" "$DESTDIR$state-worker" 2>/dev/null || true
    [ -n "$DESTDIR" ] || [ -z "$(owner)" ] || { userdel track-studio 2>/dev/null && say "removed the user track-studio" && touched=1; }
  fi
  [ "$touched" = 1 ] || say "nothing had to be removed"
  kept=""
  for each in "$dropin" "$settings" "$state" "$state-worker/.state"; do
    [ ! -e "$DESTDIR$each" ] || kept="$kept${kept:+, }$each"
  done
  [ -z "$kept" ] || say "kept $kept; --uninstall --purge removes them, too"
  [ ! -e "$DESTDIR$state-worker" ] || say "kept $state-worker, in which renders may have written videos"
  case $queue in *://* | "$state"/*) ;; *) [ ! -e "$DESTDIR$queue" ] || say "kept the queue $queue, which is not in $state" ;; esac
}

mode=install purge=0 given=""
for word in "$@"; do
  case $word in
    --uninstall) mode=uninstall ;;
    --purge) purge=1 ;;
    -h | --help) sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) misused "unknown flag $word" ;;
    *) [ -z "$given" ] || misused "unexpected argument $word"; given=$word ;;
  esac
done
[ "$purge" = 0 ] || [ "$mode" = uninstall ] || misused "--purge goes with --uninstall"
[ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || fail "this needs root: sudo $0${*:+ $*}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if [ "$mode" = uninstall ]; then uninstall; else install_all "$given"; fi
